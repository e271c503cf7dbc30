import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { listCached, removeCached } from "../../../src/core/hub/cached-models.js";
import { hub } from "../../../src/core/hub/hub.js";
import { bytes, configFor, pull, sandbox, temporaryFolder, tinyRepository } from "./sandbox.js";

describe("the models on this machine", () => {
  it("are listed with their snapshots, branches and bytes, what is shared counted once", async () => {
    const { config, server } = await sandbox({ repositories: [tinyRepository()] });
    const first = await pull(config, { id: "acme/tiny" }, ["config.json", "model.safetensors"]);
    const { files } = tinyRepository();
    server.publish({ id: "acme/tiny", files: { ...files, "1_Pooling/config.json": "{}" } });
    const second = await pull(config, { id: "acme/tiny" }, ["1_Pooling/config.json", "model.safetensors"]);

    const [model, ...others] = await listCached(config);
    expect(others).toEqual([]);
    expect(model).toMatchObject({ id: "acme/tiny", source: "hub" });
    expect(Date.parse(model.lastUsed ?? "")).toBeGreaterThan(Date.now() - 60_000);
    const blobs = 300_000 + 22 + 2;
    expect(model.size).toBeGreaterThanOrEqual(blobs);
    expect(model.size).toBeLessThan(blobs + 5000);
    const byRevision = Object.fromEntries(model.snapshots.map((one) => [one.revision, one]));
    expect(byRevision[first.repository.revision]).toMatchObject({
      refs: [],
      directory: first.repository.directory,
    });
    expect(byRevision[second.repository.revision]).toMatchObject({
      refs: ["main"],
      files: [
        { path: "1_Pooling/config.json", size: 2 },
        { path: "model.safetensors", size: 300_000 },
      ],
    });
  });

  it("are none where there is no cache, and none after somebody only looked", async () => {
    expect(await listCached(configFor(path.join(await temporaryFolder(), "no"), "http://x"))).toEqual([]);
    const { config } = await sandbox({ repositories: [tinyRepository()] });
    await hub(config).resolve({ id: "acme/tiny" });
    expect(await listCached(config)).toEqual([]);
  });

  it("may be half pulled, or damaged, or of other programs", async () => {
    const config = configFor(await temporaryFolder(), "http://x");
    const half = path.join(config.hubCache, "models--acme--half", "blobs");
    await mkdir(half, { recursive: true });
    await writeFile(path.join(half, `${"0".repeat(64)}.incomplete`), bytes(100));
    await mkdir(path.join(config.hubCache, "datasets--acme--data", "blobs"), { recursive: true });
    await mkdir(path.join(config.hubCache, ".locks"));
    await writeFile(path.join(config.hubCache, "version.txt"), "1");
    await mkdir(path.join(config.hubCache, "models--gpt2", "refs"), { recursive: true });
    await mkdir(path.join(config.hubCache, "models--gpt2", "snapshots", "2".repeat(40)), { recursive: true });
    await writeFile(path.join(config.hubCache, "models--gpt2", "refs", "main"), "3".repeat(40));
    await mkdir(path.join(config.hfmsCache, "packages"), { recursive: true });
    await writeFile(path.join(config.hfmsCache, "packages", "broken-1.json"), "{");
    expect((await listCached(config)).map(({ id, size }) => ({ id, size }))).toEqual([
      { id: "acme/half", size: 100 },
      { id: "gpt2", size: 40 },
    ]);
  });
});

describe("removing a model", () => {
  it("takes its folder and locks, and leaves the others", async () => {
    const repositories = [tinyRepository(), tinyRepository("acme/other")];
    const { config } = await sandbox({ repositories });
    await pull(config, { id: "acme/tiny" });
    const other = await pull(config, { id: "acme/other" });
    const removed = await removeCached(config, "acme/tiny");
    expect(removed.directories).toEqual([path.join(config.hubCache, "models--acme--tiny")]);
    expect(removed.bytes).toBeGreaterThan(301_000);
    expect(existsSync(removed.directories[0])).toBe(false);
    expect(existsSync(path.join(config.hubCache, ".locks", "models--acme--tiny"))).toBe(false);
    expect(existsSync(path.join(other.repository.directory, "model.safetensors"))).toBe(true);
  });

  it("says when there is nothing to remove", async () => {
    const config = configFor(await temporaryFolder(), "http://x");
    await expect(removeCached(config, "acme/nothing")).rejects.toMatchObject({
      code: "model_not_found",
      message: '"acme/nothing" is not on this machine',
    });
    await expect(removeCached(config, "../../etc")).rejects.toMatchObject({ code: "model_not_found" });
  });
});

import { existsSync } from "node:fs";
import { cp, readdir, utimes } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/core/config.js";
import { generate, openEngine } from "../engine-sandbox.js";
import { golden } from "../golden/reference.js";
import { greedy, llama, pull, sandbox } from "../hub-sandbox.js";
import { temporaryFolder } from "./hub/sandbox.js";

describe("what is on the machine", () => {
  it("is nothing at first", async () => {
    const { engine } = await sandbox();
    expect(await engine.list()).toEqual([]);
  });

  it("is listed with its graphs, downloads and local models alike", async () => {
    const { engine } = await sandbox();
    await pull(engine, { model: "acme/tiny-bert" });
    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    await generate(engine, { ...greedy, dtype: "int8", model: "acme/tiny-llama" });
    await generate(engine, { ...greedy, model: llama.directory });
    const models = await engine.list();
    expect(
      models.map(({ model, source, modelType, graphs }) => [model, source, modelType, graphs.length]),
    ).toEqual([
      [llama.directory, "local", "llama", 1],
      ["acme/tiny-bert", "hub", "bert", 0],
      ["acme/tiny-llama", "hub", "llama", 2],
    ]);
    const [local, , hub] = models;
    expect(local.size).toBe(0);
    expect(hub.size).toBeGreaterThan(600_000);
    expect(hub.graphs.map(({ dtype }) => dtype).sort()).toEqual(["fp32", "int8"]);
    for (const { directory, size } of hub.graphs) {
      expect(existsSync(directory)).toBe(true);
      expect(size).toBeGreaterThan(100_000);
    }
    expect(Date.parse(hub.lastUsed ?? "")).not.toBeNaN();
  });

  it("was used when it was last loaded, not when the disk last wrote an access time", async () => {
    const { environment, home, engine } = await sandbox();
    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    const long = new Date("2020-01-01T00:00:00Z");
    for (const entry of await readdir(home, { recursive: true, withFileTypes: true })) {
      await utimes(path.join(entry.parentPath, entry.name), long, long);
    }
    expect((await engine.list())[0].lastUsed).toBe(long.toISOString());
    const again = await openEngine(readConfig(environment));
    await generate(again, { ...greedy, model: "acme/tiny-llama" });
    expect(Date.now() - Date.parse((await again.list())[0].lastUsed ?? "")).toBeLessThan(60_000);
  });

  it("is described, pulled or not", async () => {
    const { engine, server } = await sandbox();
    const before = await engine.info("acme/tiny-llama");
    expect(before).toMatchObject({ model: "acme/tiny-llama", source: "hub", graphs: [] });
    expect(before.files.every(({ cached }) => !cached)).toBe(true);
    expect(before.chatTemplate).toBeUndefined();
    expect(server.requests.some(({ path }) => path.includes("safetensors"))).toBe(false);

    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    expect(await engine.info("acme/tiny-llama")).toMatchObject({
      modelType: "llama",
      tasks: ["text-generation"],
      contextLength: 512,
      vocabularySize: 384,
      layers: 2,
      hiddenSize: 128,
      chatTemplate: true,
      runnable: { yes: true },
      graphs: [{ dtype: "fp32" }],
    });
    expect(await engine.info(golden("gpt2-bare").directory)).toMatchObject({
      source: "local",
      modelType: "gpt2",
      contextLength: 192,
      layers: 2,
      hiddenSize: 128,
      chatTemplate: false,
      runnable: { yes: true },
    });
    server.publish({
      id: "acme/tiny-mamba",
      files: { "config.json": '{"model_type":"mamba"}', "model.safetensors": "x" },
    });
    const unknown = await engine.info("acme/tiny-mamba");
    expect(unknown.runnable).toMatchObject({ yes: false });
  });

  it("is described by its skill where the Hub is out of reach, and a notice says so", async () => {
    const home = await temporaryFolder();
    // Port 9 of the own machine: nobody listens.
    for (const env of [{ HF_HUB_OFFLINE: "1" }, { HF_ENDPOINT: "http://127.0.0.1:9" }]) {
      const engine = await openEngine(readConfig({ HF_HOME: home, ...env }));
      const info = await engine.info("gpt2");
      expect(info).toMatchObject({
        model: "openai-community/gpt2",
        skill: "hf_gpt2",
        modelType: "gpt2",
        tasks: ["text-generation"],
        license: "mit",
        runnable: { yes: true },
        files: [],
        notices: [expect.stringMatching(/gpt2.*hf_gpt2|127\.0\.0\.1:9.*hf_gpt2/)],
      });
      expect(info.parameters).toBeGreaterThan(1e8);
      expect(info.chatTemplate).toBeUndefined();
      await expect(engine.info("acme/tiny-llama")).rejects.toMatchObject({ name: "HfmsError" });
    }
  });

  it("classifies or ranks where its config.json says so, before its graph is built and after", async () => {
    const { engine } = await sandbox();
    for (const [name, first] of [
      ["bert-classes", "text-classification"],
      ["bert-ranker", "text-ranking"],
    ] as const) {
      const { directory } = golden(name);
      const before = await engine.info(directory);
      expect(before.tasks[0]).toBe(first);
      await pull(engine, { model: directory, dtype: "fp32" });
      expect((await engine.info(directory)).tasks).toEqual(before.tasks);
    }
  });

  it("has a chat template in its GGUF file only as soon as the graph is built", async () => {
    const { engine } = await sandbox();
    await pull(engine, { model: "acme/tiny-gguf" });
    expect((await engine.info("acme/tiny-gguf")).chatTemplate).toBeUndefined();
    await pull(engine, { model: "acme/tiny-gguf", dtype: "fp32" });
    expect((await engine.info("acme/tiny-gguf")).chatTemplate).toBeTypeOf("boolean");
  });

  it("goes when it is removed, with its graphs; a local model keeps its own files", async () => {
    const { engine, home } = await sandbox();
    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    await generate(engine, { ...greedy, model: llama.directory });
    const before = await readdir(llama.directory);
    const [, { size, graphs }] = await engine.list();

    const removed = await engine.remove("acme/tiny-llama");
    expect(removed.bytes).toBe(size + graphs[0].size);
    for (const directory of removed.directories) expect(existsSync(directory)).toBe(false);
    expect((await engine.list()).map(({ model }) => model)).toEqual([llama.directory]);
    await expect(engine.remove("acme/tiny-llama")).rejects.toMatchObject({ code: "model_not_found" });

    await engine.remove(llama.directory);
    expect(await engine.list()).toEqual([]);
    expect(await readdir(llama.directory)).toEqual(before);
    await expect(engine.remove(llama.directory)).rejects.toMatchObject({ code: "model_not_found" });
    const left = await readdir(home, { recursive: true, withFileTypes: true });
    expect(left.filter((entry) => entry.isFile() && /\.(bin|onnx|safetensors)$/.test(entry.name))).toEqual(
      [],
    );
  });

  it("keeps a Hub model when a local one of the same letters is removed", async () => {
    const { engine } = await sandbox();
    const folder = path.join(await temporaryFolder(), "model");
    await cp(llama.directory, folder, { recursive: true });
    const { server } = await sandbox();
    const id = folder.split(path.sep).filter(Boolean).slice(-2).join("/");
    server.publish({ id, files: llama.directory });
    await generate(engine, { ...greedy, model: folder });
    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    await engine.remove(folder);
    expect((await engine.list()).map(({ model, graphs }) => [model, graphs.length])).toEqual([
      ["acme/tiny-llama", 1],
    ]);
  });
});

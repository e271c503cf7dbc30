import { existsSync } from "node:fs";
import { cp, readFile, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/core/config.js";
import { Engine } from "../../src/core/engine.js";
import { deviceNames } from "../../src/core/requests.js";
import { embed, generate, openEngine } from "../engine-sandbox.js";
import { golden } from "../golden/reference.js";
import { greedy, llama, pull, sandbox } from "../hub-sandbox.js";
import { temporaryFolder } from "./hub/sandbox.js";

const [, prompt] = llama.reference.prompts;
const expected = prompt.greedy.slice(0, 12);

describe("running a model of the Hub", () => {
  it("brings it, builds it and gives PyTorch's tokens; the next time nothing is asked of the Hub", async () => {
    const { engine, server, environment } = await sandbox();
    const first = await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    expect(first.tokens).toEqual(expected);
    const phases = first.events.flatMap((event) => (event.type === "progress" ? [event.phase] : []));
    expect([...new Set(phases)]).toEqual(["download", "convert", "load"]);
    expect(first.events.find(({ type }) => type === "ready")).toMatchObject({
      model: "acme/tiny-llama",
      source: "hub",
      revision: expect.stringMatching(/^[0-9a-f]{40}$/),
    });

    const asked = server.requests.length;
    for (const change of [{}, { HF_HUB_OFFLINE: "1" }]) {
      const again = await generate(await openEngine(readConfig({ ...environment, ...change })), {
        ...greedy,
        model: "acme/tiny-llama",
      });
      expect(again.tokens).toEqual(expected);
      expect(again.events.flatMap((event) => (event.type === "progress" ? [event.phase] : []))).toEqual([
        "load",
      ]);
    }
    expect(server.requests).toHaveLength(asked);
  });

  it("takes GGUF repositories, and encoders", async () => {
    const { engine } = await sandbox();
    const [, quantized] = golden("llama-gguf-q8_0").reference.prompts;
    const done = await generate(engine, { ...greedy, model: "acme/tiny-gguf", prompt: quantized.text });
    expect(done.tokens).toEqual(quantized.greedy.slice(0, 12));
    const { vectors } = await embed(engine, { model: "acme/tiny-bert", dtype: "fp32", input: ["cat"] });
    expect(vectors[0].embedding).toHaveLength(128);
  });

  it("keeps two revisions apart", async () => {
    const { engine, server } = await sandbox();
    const old = server.publish({ id: "acme/tiny-llama", files: llama.directory, revision: "v1" });
    const bias = golden("llama-bias");
    server.publish({ id: "acme/tiny-llama", files: bias.directory });
    const main = await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    expect(main.tokens).toEqual(bias.reference.prompts[1].greedy.slice(0, 12));
    for (const choice of [{ model: "acme/tiny-llama@v1" }, { model: "acme/tiny-llama", revision: old }]) {
      expect((await generate(engine, { ...greedy, ...choice })).tokens).toEqual(expected);
    }
    const [model] = await engine.list();
    expect(model.revisions).toHaveLength(2);
    expect(new Set(model.graphs.map(({ revision }) => revision)).size).toBe(2);
  });

  it("refuses an architecture that it can't build before it transfers the weights", async () => {
    const { engine, server } = await sandbox();
    server.publish({
      id: "acme/tiny-mamba",
      files: {
        "config.json": '{"model_type":"mamba"}',
        "tokenizer.json": "{}",
        "model.safetensors": Buffer.alloc(1000),
      },
    });
    const refused = { code: "unsupported_model", message: expect.stringContaining("mamba") };
    await expect(generate(engine, { ...greedy, model: "acme/tiny-mamba" })).rejects.toMatchObject(refused);
    await expect(pull(engine, { model: "acme/tiny-mamba" })).rejects.toMatchObject(refused);
    expect(server.requests.filter(({ path }) => path.includes("safetensors"))).toEqual([]);
  });

  it("says what is wrong with the model's name", async () => {
    const { engine } = await sandbox();
    await expect(generate(engine, { ...greedy, model: "hf_smolm2" })).rejects.toMatchObject({
      code: "skill_not_found",
      hint: expect.stringContaining("hf_smollm2"),
    });
    await expect(generate(engine, { ...greedy, model: "acme/none" })).rejects.toMatchObject({
      code: "model_not_found",
      message: expect.stringContaining("acme/none"),
    });
    await expect(generate(engine, { ...greedy, model: "./no/such/folder" })).rejects.toMatchObject({
      code: "model_not_found",
    });
    await expect(
      generate(engine, { ...greedy, model: "acme/tiny-llama", revision: "v9" }),
    ).rejects.toMatchObject({
      code: "revision_not_found",
    });
  });

  it("falls back to the CPU with a notice, and refuses when a device is required", async () => {
    const { engine } = await sandbox();
    const request = { ...greedy, model: llama.directory, device: "qnn" } as const;
    const done = await generate(engine, request);
    expect(done.events.find(({ type }) => type === "ready")).toMatchObject({ device: "cpu" });
    expect(done.events.find(({ type }) => type === "notice")).toMatchObject({
      message: expect.stringMatching(/qnn|QNN/),
    });
    await expect(generate(engine, { ...request, requireDevice: true })).rejects.toMatchObject({
      code: "device_unavailable",
    });
  });
});

describe("a local model", () => {
  it("is built under a key of its content, and a warm `auto` opens no weights", async () => {
    const { environment } = await sandbox();
    const folder = path.join(await temporaryFolder(), "model");
    await cp(llama.directory, folder, { recursive: true, preserveTimestamps: true });
    const run = async () => {
      const engine = await openEngine(readConfig(environment));
      return generate(engine, {
        model: folder,
        raw: true,
        temperature: 0,
        prompt: prompt.text,
        maxTokens: 5,
      });
    };
    const first = await run();
    expect(first.events.find(({ type }) => type === "ready")).toMatchObject({
      dtype: "int8",
      source: "local",
    });
    const weights = path.join(folder, "model.safetensors");
    const { mtime, size } = await stat(weights);
    await writeFile(weights, Buffer.alloc(size));
    await utimes(weights, mtime, mtime);
    expect((await run()).tokens).toEqual(first.tokens);
    // Changed in a way that shows, it is another model.
    await utimes(weights, mtime, new Date(mtime.getTime() + 1000));
    await expect(run()).rejects.toMatchObject({ code: "corrupt_file" });
  });

  it("whose tokenizer is damaged is refused", async () => {
    const { engine } = await sandbox();
    const folder = path.join(await temporaryFolder(), "model");
    await cp(llama.directory, folder, { recursive: true });
    await writeFile(path.join(folder, "tokenizer.json"), "{");
    await expect(generate(engine, { ...greedy, model: folder })).rejects.toMatchObject({
      code: "corrupt_file",
    });
  });
});

describe("pulling", () => {
  it("plans, shows progress, and says what came; with a dtype the graph is built, too", async () => {
    const { engine, home } = await sandbox();
    const plain = await pull(engine, { model: "acme/tiny-llama" });
    expect(plain.plan).toMatchObject({ model: "acme/tiny-llama", source: "hub" });
    expect(plain.plan.files.map(({ path }) => path)).toContain("model.safetensors");
    expect(plain.plan.files.map(({ path }) => path)).not.toContain("reference.json");
    expect(plain.plan.files.every(({ cached }) => !cached)).toBe(true);
    expect(plain.progress.every(({ phase }) => phase === "download")).toBe(true);
    expect(plain.done.bytes).toBe(plain.done.files.reduce((sum, { size }) => sum + size, 0));
    for (const { path: file, size } of plain.done.files) {
      expect((await stat(path.join(plain.done.directory, file))).size).toBe(size);
    }
    expect(existsSync(path.join(home, "hfms"))).toBe(false);

    const built = await pull(engine, { model: "acme/tiny-llama", dtype: "int4" });
    expect(built.plan.files.every(({ cached }) => cached)).toBe(true);
    expect(built.progress.map(({ phase }) => phase)).toContain("convert");
    expect((await engine.list())[0].graphs).toMatchObject([{ dtype: "int4" }]);
  });

  it("only plans in a dry run", async () => {
    const { engine, server, home } = await sandbox();
    const { events } = await pull(engine, { model: "acme/tiny-llama", dryRun: true });
    expect(events.map(({ type }) => type)).toEqual(["plan"]);
    expect(
      server.requests.some(({ path }) => path.includes("/resolve/") && path.includes("safetensors")),
    ).toBe(false);
    expect(existsSync(path.join(home, "hub", "models--acme--tiny-llama", "blobs"))).toBe(false);
  });

  it("can be stopped, and goes on where it was", async () => {
    const { engine, server } = await sandbox();
    server.faults.push({ path: /\/[0-9a-f]{64}$/, bytesPerSecond: 400_000 });
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 400);
    const stopped = pull(engine, { model: "acme/tiny-llama" }, controller.signal);
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
    server.faults.length = 0;
    const { done } = await pull(engine, { model: "acme/tiny-llama" });
    expect(done.files.map(({ path }) => path)).toContain("model.safetensors");
    const transfers = server.requests.filter(({ origin, method }) => origin === "store" && method === "GET");
    expect(transfers.map(({ status }) => status)).toEqual([200, 206]);
    expect((await generate(engine, { ...greedy, model: "acme/tiny-llama" })).tokens).toEqual(expected);
  });
});

describe("discovering", () => {
  it("finds skills by text, task, architecture, hardware and model, and says what runs here", async () => {
    const { engine } = await sandbox();
    const all = await engine.discover({});
    expect(all.length).toBeGreaterThanOrEqual(30);
    const names = async (query: Parameters<Engine["discover"]>[0]) =>
      (await engine.discover(query)).map(({ skill }) => skill.name);
    expect(await names({ text: "smollm2" })).toContain("hf_smollm2");
    expect(await names({ model: "gpt2" })).toContain("hf_gpt2");
    const encoders = await engine.discover({ architecture: "bert", hardware: "cpu" });
    expect(encoders.length).toBeGreaterThan(3);
    expect(encoders.every(({ skill }) => skill.modelType === "bert")).toBe(true);
    const generators = await engine.discover({ task: "text-generation", runnable: true });
    expect(generators.every(({ runnable }) => runnable.yes && runnable.reason !== "")).toBe(true);
    const fitting = await engine.discover({ fits: true });
    expect(fitting.length).toBeLessThanOrEqual(all.length);
    expect(fitting.map(({ skill }) => skill.name)).toContain("hf_smollm2");
  });
});

describe("the hardware", () => {
  it("has the CPU, usable, and a reason for whatever is not", async () => {
    const { engine } = await sandbox();
    const report = await engine.hardware();
    const backends = JSON.parse(JSON.stringify(report)) as Record<string, unknown>;
    const text = JSON.stringify(backends);
    for (const name of deviceNames) expect(text).toContain(`"${name}"`);
    expect(text).toContain("CPUExecutionProvider");
  });
});

describe("an engine", () => {
  it("can be closed in the middle of an answer, and twice", async () => {
    const { environment } = await sandbox();
    const engine = await Engine.open(readConfig(environment));
    let pieces = 0;
    const run = (async () => {
      for await (const event of engine.generate({
        ...greedy,
        maxTokens: 400,
        logitBias: { 2: -100 },
        model: llama.directory,
      })) {
        if (event.type === "text" && ++pieces === 3) void engine[Symbol.asyncDispose]();
      }
    })();
    await expect(run).rejects.toMatchObject({ name: "HfmsError" });
    await engine[Symbol.asyncDispose]();
  });

  it("reads nothing of a model until it is asked for, and the skills of a folder beside its own", async () => {
    const folder = await temporaryFolder();
    const skill = JSON.parse(
      await readFile(path.join(import.meta.dirname, "../../skills/hf_gpt2.json"), "utf8"),
    );
    await writeFile(
      path.join(folder, "hf_mine.json"),
      JSON.stringify({ ...skill, name: "hf_mine", aliases: [] }),
    );
    const engine = await openEngine(readConfig({ HF_HOME: await temporaryFolder(), HFMS_SKILLS: folder }));
    expect((await engine.discover({})).map(({ skill: { name } }) => name)).toContain("hf_mine");
  });
});

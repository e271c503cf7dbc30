import { cp } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { engineHome, generate, openEngine } from "../engine-sandbox.js";
import { golden } from "../golden/reference.js";
import { greedy, llama, pull, sandbox } from "../hub-sandbox.js";
import { collect } from "../tiny-model.js";
import { temporaryFolder } from "./hub/sandbox.js";

const home = engineHome();

describe("what a model on the disk can be asked", () => {
  it("is the same before and after its graph is built", async () => {
    const { engine } = await sandbox();
    await pull(engine, { model: "acme/tiny-llama" });
    const abilities = async () => {
      const [model] = await engine.list();
      return engine.abilities(model);
    };
    const before = await abilities();
    expect(before).toEqual({
      tasks: ["text-generation"],
      contextLength: 512,
      chatTemplate: true,
      toolTemplate: false,
      added: expect.any(String),
    });
    await generate(engine, { ...greedy, model: "acme/tiny-llama" });
    expect(await abilities()).toEqual(before);
  });

  it("of a folder, and of a file that brings its own tokenizer, is what its graph says", async () => {
    const engine = await openEngine(home());
    const gguf = golden("llama-gguf-q8_0");
    const file = path.join(gguf.directory, gguf.reference.file ?? "");
    for (const model of [llama.directory, file]) await collect(engine.load({ model }));
    for (const model of await engine.list()) {
      const { tasks, contextLength, chatTemplate } = await engine.abilities(model);
      expect([tasks, contextLength, chatTemplate]).toEqual([["text-generation"], 512, true]);
    }
  });

  it("of vectors is no longer a text than they were made for", async () => {
    const engine = await openEngine(home());
    const { directory } = golden("bert-mean");
    await collect(engine.load({ model: directory }));
    const model = (await engine.list()).find((one) => one.model === directory)!;
    expect(await engine.abilities(model)).toMatchObject({ contextLength: 64, chatTemplate: false });
  });

  it("is nothing where the files say nothing", async () => {
    const directory = await temporaryFolder();
    await cp(path.join(llama.directory, "tokenizer.json"), path.join(directory, "tokenizer.json"));
    const engine = await openEngine(home());
    const local = { model: directory, aliases: [], revisions: [], size: 0, graphs: [], directory };
    expect(await engine.abilities({ ...local, source: "local" })).toMatchObject({
      tasks: [],
      chatTemplate: false,
    });
  });
});

describe("a name", () => {
  it("means one model, under whichever of its names", async () => {
    const engine = await openEngine(home());
    const id = "HuggingFaceTB/SmolLM2-135M-Instruct";
    for (const model of ["smollm2", "hf_smollm2", id, `${id}@main`])
      expect(engine.resolve({ model })).toMatchObject({
        model: id,
        aliases: expect.arrayContaining(["smollm2", "hf_smollm2"]),
        tasks: ["text-generation"],
      });
    expect(engine.resolve({ model: "acme/unknown" })).toEqual({ model: "acme/unknown", aliases: [] });
    expect(engine.resolve({ model: llama.directory })).toEqual({ model: llama.directory, aliases: [] });
  });

  it("that means nothing, or a path where none may be, is refused", async () => {
    const engine = await openEngine(home());
    for (const model of ["no-such-name", llama.directory]) {
      expect(() => engine.resolve({ model, allowPaths: false })).toThrow(
        expect.objectContaining({ code: "model_not_found", param: "model" }),
      );
    }
  });
});

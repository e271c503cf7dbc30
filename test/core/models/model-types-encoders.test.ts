import { describe, expect, it } from "vitest";
import type { ConversionSource } from "../../../src/core/convert.js";
import type { ClassifierInfo } from "../../../src/core/models/types.js";
import type { Encoder, EncoderOutput } from "../../../src/core/runtime/encoder.js";
import { probabilities } from "../../../src/core/tasks/scores.js";
import type { Tensor } from "../../../src/core/tensor.js";
import {
  type ClassifierTypeReference,
  type EncoderTypeReference,
  type MaskedLmTypeReference,
  modelTypeGoldens,
  type QuestionAnswererTypeReference,
  type TokenClassifierTypeReference,
} from "../../golden/model-types.js";
import {
  cosine,
  graphsFolder,
  largestDifference,
  relativeDifference,
  tinyEncoder,
} from "../../tiny-model.js";

const graphs = graphsFolder();

const sourceOf = ({ name, directory }: { name: string; directory: string }): ConversionSource => ({
  model: `golden/${name}`,
  revision: "0".repeat(40),
  source: "local",
  directory,
  weights: "model.safetensors",
});

describe.each(modelTypeGoldens<EncoderTypeReference>("encoder"))("$name", (golden) => {
  const { inputs } = golden.reference;

  it("has PyTorch's hidden states in fp32", async () => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs() });
    for (const { tokens, typeIds, lastHiddenState, embedding } of inputs) {
      const { data, shape } = await encoder.run([tokens], undefined, [typeIds]);
      const states = data.slice(0, tokens.length * shape[2]);
      expect(relativeDifference(states, lastHiddenState.values)).toBeLessThan(1e-3);
      expect(cosine(mean(states, shape[2]), embedding.values)).toBeGreaterThan(0.99999);
    }
  });

  it.each(["fp32", "int8"] as const)("gives a row in %s bit-equal numbers in any batch", async (dtype) => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs(), dtype });
    await expectSameInAnyBatch(encoder, inputs, ({ data, shape }, row, length) => {
      const start = row * shape[1] * shape[2];
      return data.slice(start, start + length * shape[2]);
    });
  });
});

describe.each(modelTypeGoldens<ClassifierTypeReference>("classifier"))("$name", (golden) => {
  const { inputs } = golden.reference;

  it("has PyTorch's logits and scores in fp32", async () => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs() });
    const { problem } = encoder.info.classifier as ClassifierInfo;
    for (const { tokens, typeIds, logits, scores } of inputs) {
      const output = valuesOf((await encoder.run([tokens], undefined, [typeIds])).logits);
      expect(relativeDifference(output, logits.values)).toBeLessThan(1e-3);
      const found = Float32Array.from(probabilities(output, problem));
      expect(largestDifference(found, scores.values)).toBeLessThan(1e-4);
    }
  });

  it.each(["fp32", "int8"] as const)("gives a row in %s bit-equal logits in any batch", async (dtype) => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs(), dtype });
    const labels = inputs[0].logits.values.length;
    await expectSameInAnyBatch(encoder, inputs, ({ logits }, row) =>
      valuesOf(logits).slice(row * labels, (row + 1) * labels),
    );
  });
});

const tokenGoldens = [
  ...modelTypeGoldens<TokenClassifierTypeReference>("token-classifier"),
  ...modelTypeGoldens<QuestionAnswererTypeReference>("question-answerer"),
];

describe.each(tokenGoldens)("$name", (golden) => {
  const rows = golden.reference.inputs.map((input) => ({ ...input, expected: expectedOf(input) }));
  const read = ({ logits }: EncoderOutput, row: number, length: number): Float32Array => {
    const { data, shape } = logits as Tensor<Float32Array>;
    return data.slice(row * shape[1] * shape[2], (row * shape[1] + length) * shape[2]);
  };

  it("has PyTorch's logits of every token in fp32", async () => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs() });
    for (const { tokens, typeIds, expected } of rows) {
      const output = await encoder.run([tokens], undefined, [typeIds]);
      expect(relativeDifference(read(output, 0, tokens.length), expected)).toBeLessThan(1e-3);
    }
  });

  it.each(["fp32", "int8"] as const)("gives a row in %s bit-equal logits in any batch", async (dtype) => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs(), dtype });
    await expectSameInAnyBatch(encoder, rows, read);
  });
});

describe.each(modelTypeGoldens<MaskedLmTypeReference>("masked-lm"))("$name", (golden) => {
  const { inputs } = golden.reference;
  const places = inputs.map(({ tokens }) => [...tokens.keys()]);

  it("has PyTorch's logits of the places that are asked for in fp32", async () => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs() });
    for (const [i, { tokens, typeIds, logits: expected }] of inputs.entries()) {
      const { logits } = await encoder.run([tokens], undefined, [typeIds], [places[i]]);
      expect(relativeDifference(valuesOf(logits), expected.values)).toBeLessThan(1e-3);
      const [last] = places[i].slice(-1);
      const one = await encoder.run([tokens], undefined, [typeIds], [[last]]);
      const width = expected.shape[1];
      const found = valuesOf(one.logits).slice(0, width);
      expect(relativeDifference(found, expected.values.slice(-width))).toBeLessThan(1e-3);
    }
  });

  it.each(["fp32", "int8"] as const)("gives a place in %s bit-equal logits in any batch", async (dtype) => {
    const encoder = await tinyEncoder(sourceOf(golden), { root: graphs(), dtype });
    const width = inputs[0].logits.shape[1];
    const chosen = inputs.map(({ tokens }) => [tokens.length - 1]);
    const alone: Float32Array[] = [];
    for (const [i, { tokens, typeIds }] of inputs.entries()) {
      const { logits } = await encoder.run([tokens], undefined, [typeIds], [chosen[i]]);
      alone.push(valuesOf(logits).slice(0, width));
    }
    const rows = inputs.map(({ tokens }) => tokens);
    const types = inputs.map(({ typeIds }) => typeIds);
    const { logits } = await encoder.run(rows, undefined, types, chosen);
    const together = valuesOf(logits);
    for (const [i, expected] of alone.entries())
      expect(together.slice(i * width, (i + 1) * width)).toEqual(expected);
  });
});

function valuesOf(logits: Tensor<Float32Array> | undefined): Float32Array {
  if (!logits) throw new Error("the graph has no head");
  return logits.data;
}

interface Row {
  tokens: number[];
  typeIds?: number[];
}

/** `read` gives what an output says of a row and its length. */
async function expectSameInAnyBatch(
  encoder: Encoder,
  rows: readonly Row[],
  read: (output: EncoderOutput, row: number, length: number) => Float32Array,
): Promise<void> {
  const alone: Float32Array[] = [];
  for (const { tokens, typeIds } of rows)
    alone.push(read(await encoder.run([tokens], undefined, [typeIds]), 0, tokens.length));
  for (const count of [2, rows.length]) {
    const some = rows.slice(-count);
    const output = await encoder.run(
      some.map(({ tokens }) => tokens),
      undefined,
      some.map(({ typeIds }) => typeIds),
    );
    for (const [i, expected] of alone.slice(-count).entries())
      expect(read(output, i, some[i].tokens.length)).toEqual(expected);
  }
}

type TokenInput = (TokenClassifierTypeReference | QuestionAnswererTypeReference)["inputs"][number];

/** Logits as the graph has them: those of the start and of the end side by side. */
function expectedOf(input: TokenInput): Float32Array {
  if ("logits" in input) return input.logits.values;
  const { start, end } = input;
  return Float32Array.from({ length: 2 * input.tokens.length }, (_, i) =>
    i % 2 === 0 ? start.values[i / 2] : end.values[(i - 1) / 2],
  );
}

function mean(states: Float32Array, hidden: number): Float32Array {
  const sums = new Float32Array(hidden);
  for (const [i, value] of states.entries()) sums[i % hidden] += value / (states.length / hidden);
  return sums;
}

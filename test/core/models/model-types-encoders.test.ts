import { describe, expect, it } from "vitest";
import type { ConversionSource } from "../../../src/core/convert.js";
import { type EncoderTypeReference, modelTypeGoldens } from "../../golden/model-types.js";
import { cosine, graphsFolder, tinyEncoder } from "../../tiny-model.js";

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
  const rows = inputs.map(({ tokens }) => tokens);
  const types = inputs.map(({ typeIds }) => typeIds);

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
    const alone: Float32Array[] = [];
    for (const [i, row] of rows.entries()) {
      const { data, shape } = await encoder.run([row], undefined, [types[i]]);
      alone.push(data.slice(0, row.length * shape[2]));
    }
    for (const count of [2, rows.length]) {
      const { data, shape } = await encoder.run(rows.slice(0, count), undefined, types);
      for (let r = 0; r < count; r++) {
        const start = r * shape[1] * shape[2];
        expect(data.slice(start, start + alone[r].length)).toEqual(alone[r]);
      }
    }
  });
});

/** The largest difference, in units of the largest expected value. */
function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  expect(actual).toHaveLength(expected.length);
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return actual.reduce((most, value, i) => Math.max(most, Math.abs(value - expected[i])), 0) / largest;
}

function mean(states: Float32Array, hidden: number): Float32Array {
  const sums = new Float32Array(hidden);
  for (const [i, value] of states.entries()) sums[i % hidden] += value / (states.length / hidden);
  return sums;
}

import { describe, expect, it } from "vitest";
import { linear } from "../../../../src/core/graph/blocks/linear.js";
import { GraphBuilder } from "../../../../src/core/graph/builder.js";
import type { BuildContext, MatrixFormat } from "../../../../src/core/graph/model-weights.js";
import { createTensor } from "../../../../src/core/tensor.js";
import { floats, runGraph } from "../../../graph-session.js";
import { buildContext, type MemoryTensor, noise, onGrid } from "../../../memory-weights.js";
import { largestDifference } from "../../../tiny-model.js";

const COLUMNS = 64;
const HEIGHTS = [32, 16, 16];

/** Rows that int8 blocks hold exactly: whole numbers, with a 127 in each block. */
function inputs(rows: number): Float32Array {
  return noise(rows * COLUMNS, 9).map((value, i) => (i % 16 === 3 ? 127 : Math.round(value * 127)));
}

function matrix(height: number, seed: number, format: MatrixFormat): MemoryTensor {
  const values = noise(height * COLUMNS, seed);
  return { shape: [height, COLUMNS], values: format.bits === 32 ? values : onGrid(values, COLUMNS, format) };
}

/** x · Wᵀ + b in double precision, one matrix after the other. */
function expected(x: Float32Array, matrices: MemoryTensor[], biases: Float32Array[]): Float32Array {
  const rows = x.length / COLUMNS;
  const result: number[] = [];
  for (let r = 0; r < rows; r++) {
    for (const [m, { shape, values }] of matrices.entries()) {
      for (let out = 0; out < shape[0]; out++) {
        let sum = biases[m]?.[out] ?? 0;
        for (let i = 0; i < COLUMNS; i++) sum += x[r * COLUMNS + i] * values[out * COLUMNS + i];
        result.push(sum);
      }
    }
  }
  return Float32Array.from(result);
}

const formats: [MatrixFormat, BuildContext["compute"]][] = [
  [{ bits: 32 }, "blocks"],
  [{ bits: 8, blockSize: 32 }, "blocks"],
  [{ bits: 8, blockSize: 16 }, "blocks"],
  [{ bits: 8, blockSize: 32 }, "floats"],
  [{ bits: 4, blockSize: 32 }, "blocks"],
  [{ bits: 4, blockSize: 16 }, "blocks"],
];

describe.each(formats)("a linear layer in %o, computed in %s", (format, compute) => {
  it.each([
    ["one matrix", 1, false],
    ["one matrix and its bias", 1, true],
    ["three matrices side by side", 3, false],
    ["three matrices and their biases", 3, true],
  ])("of %s is the product of its numbers", async (_what, count, withBias) => {
    const matrices = HEIGHTS.slice(0, count).map((height, i) => matrix(height, i + 1, format));
    const biases = withBias ? matrices.map(({ shape }, i) => noise(shape[0], i + 50)) : [];
    const tensors: Record<string, MemoryTensor> = {};
    for (const [i, one] of matrices.entries()) tensors[`w${i}`] = one;
    for (const [i, values] of biases.entries()) tensors[`b${i}`] = { shape: [values.length], values };
    const height = matrices.reduce((sum, { shape }) => sum + shape[0], 0);

    // A run of one row takes another path through the kernels than a run of several.
    for (const rows of [1, 5]) {
      const g = new GraphBuilder();
      const x = g.input("x", "float32", ["rows", COLUMNS]);
      const spec = {
        role: "qkv" as const,
        tensors: matrices.map((_, i) => `w${i}`),
        bias: withBias ? biases.map((_, i) => `b${i}`) : undefined,
      };
      const y = linear(g, "layer", x, spec, buildContext(tensors, format, compute));
      g.output(y, "float32", ["rows", height]);
      const result = createTensor("float32", [rows, height]);
      const values = inputs(rows);
      await runGraph(g, { inputs: { x: floats([rows, COLUMNS], values) }, outputs: { [y]: result } });
      // Sums of 64 products of up to 127.
      expect(largestDifference(result.data, expected(values, matrices, biases))).toBeLessThan(2e-3);
    }
  });
});

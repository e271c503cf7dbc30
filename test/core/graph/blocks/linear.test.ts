import { describe, expect, it } from "vitest";
import { linear } from "../../../../src/core/graph/blocks/linear.js";
import { GraphBuilder } from "../../../../src/core/graph/builder.js";
import type { BlockFormat, BuildContext, MatrixFormat } from "../../../../src/core/graph/model-weights.js";
import { createTensor } from "../../../../src/core/tensor.js";
import { dequantizeBlocks, type QuantizedBlocks } from "../../../../src/core/weights/quantized-blocks.js";
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

/** Blocks that a file has, with zero points and columns in another order; large enough that floats are computed with floats. */
const stored: [BlockFormat, BuildContext["compute"]][] = [
  [{ bits: 4, blockSize: 32, zeroPoints: true }, "blocks"],
  [{ bits: 4, blockSize: 128, zeroPoints: true }, "blocks"],
  [{ bits: 4, blockSize: 256, order: backwards(512) }, "blocks"],
  [{ bits: 4, blockSize: 64, zeroPoints: true, order: backwards(512) }, "blocks"],
  [{ bits: 8, blockSize: 128, zeroPoints: true }, "blocks"],
  [{ bits: 8, blockSize: 128, zeroPoints: true }, "floats"],
  [{ bits: 8, blockSize: 32, zeroPoints: true, order: backwards(512) }, "floats"],
  [{ bits: 8, blockSize: 64, order: backwards(512) }, "floats"],
];

describe.each(stored)("a linear layer of stored blocks in %o, computed in %s", (format, compute) => {
  it.each([
    ["two matrices whose columns have the same order", false],
    ["two matrices whose columns have orders of their own", true],
  ])("of %s is the product of their values", async (_what, apart) => {
    const [columns, height] = [512, 256];
    const other = apart && format.order ? { ...format, order: backwards(512, 8) } : format;
    const formats = [format, other];
    const ctx = blockContext(formats, height, columns, compute);
    for (const rows of [1, 5]) {
      const g = new GraphBuilder();
      const x = g.input("x", "float32", ["rows", columns]);
      const y = linear(g, "layer", x, { role: "qkv", tensors: ["w0", "w1"], bias: ["b0", "b1"] }, ctx);
      g.output(y, "float32", ["rows", 2 * height]);
      const result = createTensor("float32", [rows, 2 * height]);
      const values = noise(rows * columns, 9).map((v, i) => (i % 16 === 3 ? 127 : Math.round(v * 127)));
      await runGraph(g, { inputs: { x: floats([rows, columns], values) }, outputs: { [y]: result } });
      const sums: number[] = [];
      for (let r = 0; r < rows; r++) {
        for (const m of [0, 1]) {
          const matrix = await ctx.weights.read(`w${m}`);
          const bias = await ctx.weights.read(`b${m}`);
          for (let out = 0; out < height; out++) {
            let sum = bias[out];
            for (let i = 0; i < columns; i++) sum += values[r * columns + i] * matrix[out * columns + i];
            sums.push(sum);
          }
        }
      }
      const largest = sums.reduce((most, sum) => Math.max(most, Math.abs(sum)), 0);
      // Sums of 512 products in another order.
      expect(largestDifference(result.data, Float32Array.from(sums)) / largest).toBeLessThan(5e-6);
    }
  });
});

/** Blocks of random codes, as `ModelWeights` gives those of a file. */
function blockContext(
  formats: BlockFormat[],
  rows: number,
  columns: number,
  compute: BuildContext["compute"],
): BuildContext {
  const matrices = formats.map(({ bits, blockSize, zeroPoints, order }, seed) => {
    const blocks = columns / blockSize;
    const codes = (count: number, salt: number) =>
      Uint8Array.from(noise(count, seed + salt), (value) => (value + 1) * 127.99);
    const stored: QuantizedBlocks = {
      ...{ rows, cols: columns, bits, blockSize },
      data: codes((rows * columns * bits) / 8, 20),
      scales: noise(rows * blocks, seed + 40).map((value) => 0.02 + 0.01 * value),
      zeroPoints: zeroPoints ? codes(rows * (bits === 4 ? Math.ceil(blocks / 2) : blocks), 60) : undefined,
    };
    const inOrder = dequantizeBlocks(stored);
    const values = new Float32Array(inOrder.length);
    for (const [i, value] of inOrder.entries()) {
      const column = i % columns;
      values[i - column + (order ? order[column] : column)] = value;
    }
    return { stored, values };
  });
  const matrixOf = (name: string) => matrices[Number(name.slice(1))];
  const bias = (name: string) => noise(rows, Number(name.slice(1)) + 80);
  return {
    weights: {
      has: () => true,
      shape: (name) => (name.startsWith("w") ? [rows, columns] : [rows]),
      read: async (name) => (name.startsWith("w") ? matrixOf(name).values : bias(name)),
      storedBlocks: (name) => formats[Number(name.slice(1))],
      readBlocks: async (name) => matrixOf(name).stored,
    },
    format: (_role, _columns, blocks) => blocks ?? { bits: 32 },
    compute,
  };
}

/** The columns from the last to the first, or those of `every` runs of them. */
function backwards(columns: number, every = 1): Uint32Array {
  const step = columns / every;
  return Uint32Array.from({ length: columns }, (_, i) => {
    const within = i % step;
    return i - within + (step - 1 - within);
  });
}

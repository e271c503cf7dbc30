import { quantize } from "../../weights/quantize.js";
import type { GraphBuilder, Value } from "../builder.js";
import type { BlockFormat, BuildContext, MatrixRole } from "../model-weights.js";

/** A weight matrix of the graph: tensors of the model stacked along the output axis, [out, in]. */
export interface Matrix {
  role: MatrixRole;
  /** Output features; rows. */
  rows: number;
  /** Input features; columns. */
  columns: number;
  tensors: string[];
}

/** A matrix in the graph: the value(s) that hold it. */
export type StoredMatrix =
  | { format: { bits: 32 }; weight: Value }
  | { format: BlockFormat; data: Value; scales: Value };

/** Floats that are read at a time: 8 MB. */
const CHUNK = 2 * 1024 * 1024;

export function storeMatrix(g: GraphBuilder, name: string, matrix: Matrix, ctx: BuildContext): StoredMatrix {
  const { rows, columns } = matrix;
  const format = ctx.format(matrix.role, columns);
  if (format.bits === 32) {
    const [weight] = g.weights({
      specs: [{ name: `${name}.weight`, type: "float32", shape: [rows, columns] }],
      async *chunks() {
        for (const { tensor, first, count } of rowChunks(matrix, ctx)) {
          yield [bytes(await ctx.weights.read(tensor, first, count))];
        }
      },
    });
    return { format, weight };
  }
  const { bits, blockSize } = format;
  const blocks = Math.ceil(columns / blockSize);
  const [data, scales] = g.weights({
    specs: [
      { name: `${name}.weight_q${bits}`, type: "uint8", shape: [rows, blocks, (blockSize * bits) / 8] },
      { name: `${name}.scales`, type: "float32", shape: [rows, blocks] },
    ],
    async *chunks() {
      for (const { tensor, first, count } of rowChunks(matrix, ctx)) {
        const stored = await ctx.weights.readBlocks(tensor, first, count, format);
        const quantized =
          stored ??
          quantize(await ctx.weights.read(tensor, first, count), {
            cols: columns,
            bits,
            blockSize,
            search: "least-error",
          });
        yield [quantized.data, bytes(quantized.scales)];
      }
    },
  });
  return { format, data, scales };
}

/** A vector of the model (bias, norm), tensors joined end to end. Always float32. */
export function storeVector(
  g: GraphBuilder,
  name: string,
  tensors: string[],
  ctx: BuildContext,
  map: (value: number) => number = (value) => value,
): Value {
  const length = tensors.reduce((sum, tensor) => sum + ctx.weights.shape(tensor)[0], 0);
  const [value] = g.weights({
    specs: [{ name, type: "float32", shape: [length] }],
    async *chunks() {
      for (const tensor of tensors) yield [bytes((await ctx.weights.read(tensor)).map(map))];
    },
  });
  return value;
}

/** A table that is computed, such as the rotary cosines. */
export function storeTable(
  g: GraphBuilder,
  name: string,
  shape: readonly number[],
  values: () => Float32Array | Promise<Float32Array>,
): Value {
  const [value] = g.weights({
    specs: [{ name, type: "float32", shape }],
    async *chunks() {
      yield [bytes(await values())];
    },
  });
  return value;
}

function* rowChunks(
  { tensors, columns }: Matrix,
  { weights }: BuildContext,
): Iterable<{ tensor: string; first: number; count: number }> {
  const step = Math.max(1, Math.floor(CHUNK / columns));
  for (const tensor of tensors) {
    const [rows] = weights.shape(tensor);
    for (let first = 0; first < rows; first += step)
      yield { tensor, first, count: Math.min(step, rows - first) };
  }
}

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

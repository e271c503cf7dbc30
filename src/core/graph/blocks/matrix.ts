import { elementCount } from "../../tensor.js";
import { quantize } from "../../weights/quantize.js";
import type { GraphBuilder, RowRange, Value } from "../builder.js";
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
export type StoredMatrix = { format: { bits: 32 }; weight: Value } | StoredBlocks;

export interface StoredBlocks {
  format: BlockFormat;
  data: Value;
  scales: Value;
  /** Where the format has them: uint8, at 4 bits two in a byte. */
  zeroPoints?: Value;
  /** Where the format has one: int32 [columns]. */
  order?: Value;
}

/** Floats that are read at a time: 1 MB, which stays in a processor's cache. */
const CHUNK = 256 * 1024;

export function storeMatrix(g: GraphBuilder, name: string, matrix: Matrix, ctx: BuildContext): StoredMatrix {
  const { rows, columns } = matrix;
  const format = ctx.format(matrix.role, columns, commonBlocks(matrix.tensors, ctx));
  if (format.bits === 32) {
    const [weight] = g.weights({
      specs: [{ name: `${name}.weight`, type: "float32", shape: [rows, columns] }],
      rows,
      async *chunks(range) {
        for (const { tensor, first, count } of rowChunks(matrix, ctx, range)) {
          yield [bytes(await ctx.weights.read(tensor, first, count))];
        }
      },
    });
    return { format, weight };
  }
  const { bits, blockSize, zeroPoints, order } = format;
  const blocks = Math.ceil(columns / blockSize);
  const zeros = {
    name: `${name}.zero_points`,
    type: "uint8" as const,
    shape: [rows, bits === 4 ? Math.ceil(blocks / 2) : blocks],
  };
  const [data, scales, points] = g.weights({
    specs: [
      { name: `${name}.weight_q${bits}`, type: "uint8", shape: [rows, blocks, (blockSize * bits) / 8] },
      { name: `${name}.scales`, type: "float32", shape: [rows, blocks] },
      ...(zeroPoints ? [zeros] : []),
    ],
    rows,
    async *chunks(range) {
      for (const { tensor, first, count } of rowChunks(matrix, ctx, range)) {
        const stored = await ctx.weights.readBlocks(tensor, first, count, format);
        const quantized =
          stored ??
          quantize(await ctx.weights.read(tensor, first, count), {
            cols: columns,
            bits,
            blockSize,
            search: "least-error",
          });
        const pieces = [quantized.data, bytes(quantized.scales)];
        if (zeroPoints) pieces.push(quantized.zeroPoints as Uint8Array);
        yield pieces;
      }
    },
  });
  return { format, data, scales, zeroPoints: points, order: order && storeOrder(g, name, order) };
}

/** The blocks that the file has of all of these matrices, where they can stand in one product. */
export function commonBlocks(tensors: readonly string[], { weights }: BuildContext): BlockFormat | undefined {
  const formats = tensors.map((tensor) => weights.storedBlocks?.(tensor));
  const [first] = formats;
  if (first === undefined) return undefined;
  const fit = formats.every(
    (format) =>
      format?.bits === first.bits &&
      format.blockSize === first.blockSize &&
      format.order?.join() === first.order?.join(),
  );
  return fit ? { ...first, zeroPoints: formats.some((format) => format?.zeroPoints) } : undefined;
}

function storeOrder(g: GraphBuilder, name: string, order: Uint32Array): Value {
  const [value] = g.weights({
    specs: [{ name: `${name}.order`, type: "int32", shape: [order.length] }],
    async *chunks() {
      yield [new Uint8Array(Int32Array.from(order).buffer)];
    },
  });
  return value;
}

/** A vector of the model (bias, norm), tensors of any shape joined end to end. Always float32. */
export function storeVector(
  g: GraphBuilder,
  name: string,
  tensors: string[],
  ctx: BuildContext,
  map: (value: number) => number = (value) => value,
): Value {
  const length = tensors.reduce((sum, tensor) => sum + elementCount(ctx.weights.shape(tensor)), 0);
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
  range: RowRange = { first: 0, count: Number.POSITIVE_INFINITY },
): Iterable<{ tensor: string; first: number; count: number }> {
  const step = Math.max(1, Math.floor(CHUNK / columns));
  const last = range.first + range.count;
  let above = 0;
  for (const tensor of tensors) {
    const [rows] = weights.shape(tensor);
    const end = Math.min(rows, last - above);
    for (let first = Math.max(0, range.first - above); first < end; first += step)
      yield { tensor, first, count: Math.min(step, end - first) };
    above += rows;
  }
}

function bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext, MatrixRole } from "../model-weights.js";
import { commonBlocks, type StoredBlocks, type StoredMatrix, storeMatrix, storeVector } from "./matrix.js";

export interface Linear {
  role: MatrixRole;
  /** Tensors whose outputs stand side by side in the product: q, k and v; gate and up. */
  tensors: string[];
  /** Their biases, in the same order. */
  bias?: string[];
}

/**
 * y = x · Wᵀ + b for x [..., in]; y [..., out]. Several tensors become one product, which halves the nodes that the
 * runtime must dispatch in a decode step.
 *
 *   fp32:       x → FusedMatMul(transB) → Add(bias)
 *   int8, int4: x → MatMulNBits(bias), or DequantizeLinear and the fp32 way where `ctx.compute` says floats
 */
export function linear(g: GraphBuilder, name: string, x: Value, spec: Linear, ctx: BuildContext): Value {
  if (mustStayApart(spec, ctx)) {
    const parts = spec.tensors.map((tensor, i) => {
      const part = { ...spec, tensors: [tensor], bias: spec.bias && [spec.bias[i]] };
      return linear(g, `${name}.${i}`, x, part, ctx);
    });
    return g.at(name).node("Concat", parts, { axis: -1 });
  }
  const { matrix, bias } = storeLinear(g, name, spec, ctx);
  return product(g.at(name), x, matrix, { bias, compute: ctx.compute });
}

/** Blocks of a file that differ in form (GPTQ may give each matrix an order of its own) can be kept, but not in one product. */
function mustStayApart({ tensors }: Linear, ctx: BuildContext): boolean {
  if (tensors.length === 1 || commonBlocks(tensors, ctx)) return false;
  return tensors.every((tensor) => ctx.weights.storedBlocks?.(tensor) !== undefined);
}

/** The weights of a linear layer; fused operators take its bias for themselves. */
export function storeLinear(
  g: GraphBuilder,
  name: string,
  { role, tensors, bias }: Linear,
  ctx: BuildContext,
): { matrix: StoredMatrix & { rows: number; columns: number }; bias: Value | undefined } {
  const shapes = tensors.map((tensor) => ctx.weights.shape(tensor));
  const rows = shapes.reduce((sum, shape) => sum + shape[0], 0);
  const columns = shapes[0][1];
  const scope = g.scope(name);
  return {
    matrix: { ...storeMatrix(g, scope, { role, rows, columns, tensors }, ctx), rows, columns },
    bias: bias && storeVector(g, `${scope}.bias`, bias, ctx),
  };
}

/**
 * Below this many rows or columns the runtime sums a float product in an order that depends on the number of rows of x,
 * and a text's numbers would depend on its company. Such a matrix costs next to nothing either way.
 */
const SMALL = 256;

/** x [..., in] times a stored matrix [out, in], transposed. */
export function product(
  g: GraphBuilder,
  x: Value,
  matrix: StoredMatrix & { rows: number; columns: number },
  options: { bias?: Value; as?: string; compute?: BuildContext["compute"] } = {},
): Value {
  const { bias, as, compute = "blocks" } = options;
  const order = "order" in matrix ? matrix.order : undefined;
  // MatMulNBits takes the order as g_idx, too, but then decodes the whole matrix for each token: 35 times as slow.
  if (order) x = g.node("Gather", [x, order], { axis: -1 });
  const small = Math.min(matrix.rows, matrix.columns) < SMALL;
  if (matrix.format.bits === 32 || (compute === "floats" && matrix.format.bits === 8 && !small)) {
    const weight = "weight" in matrix ? matrix.weight : dequantized(g, x, matrix);
    const y = g.node("FusedMatMul", [x, weight], { transB: 1 }, bias ? undefined : as);
    return bias ? g.node("Add", [y, bias], {}, as) : y;
  }
  const { data, scales, zeroPoints, format } = matrix as StoredBlocks;
  const { bits, blockSize } = format;
  // accuracy_level 4: activations are rounded to int8 block by block; level 1 keeps them in fp32 and is 30 times slower.
  const shape = { K: matrix.columns, N: matrix.rows, bits, block_size: blockSize, accuracy_level: 4 };
  return g.node("MatMulNBits", [x, data, scales, zeroPoints, undefined, bias], shape, as);
}

/**
 * An 8-bit matrix as float32 [out, in]. Each block is given as a channel of its own: DequantizeLinear runs channels on
 * all threads, but blocks (its block_size) on one.
 *
 * The runtime orders nodes that need no input before all others; every matrix of the model would stand in memory at
 * once. So the number of zero points comes, by way of a zero, from the shape of x: it can't be known before x is.
 */
function dequantized(
  g: GraphBuilder,
  x: Value,
  matrix: StoredMatrix & { rows: number; columns: number },
): Value {
  const { data, scales, zeroPoints: stored, format } = matrix as StoredBlocks;
  const { blockSize } = format;
  const blocks = (matrix.rows * matrix.columns) / blockSize;
  const blockData = g.view(data, `${data}.blocks`, [blocks, blockSize]);
  const blockScales = g.view(scales, `${scales}.blocks`, [blocks]);
  const dimension = g.node("Shape", [x], { start: 0, end: 1 });
  const zero = g.node("Sub", [dimension, dimension]);
  const count = g.node("Add", [zero, g.constant("int64", [1], [blocks])]);
  const source = stored ? g.view(stored, `${stored}.blocks`, [blocks]) : g.constant("uint8", [1], [128]);
  const zeroPoints = g.node("Expand", [source, count]);
  const values = g.node("DequantizeLinear", [blockData, blockScales, zeroPoints], { axis: 0 });
  return g.node("Reshape", [values, g.constant("int64", [2], [matrix.rows, matrix.columns])]);
}

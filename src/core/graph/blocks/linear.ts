import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext, MatrixRole } from "../model-weights.js";
import { type StoredMatrix, storeMatrix, storeVector } from "./matrix.js";

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
 *   int8, int4: x → MatMulNBits(bias)
 */
export function linear(g: GraphBuilder, name: string, x: Value, spec: Linear, ctx: BuildContext): Value {
  const { matrix, bias } = storeLinear(g, name, spec, ctx);
  return product(g.at(name), x, matrix, bias);
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

/** x [..., in] times a stored matrix [out, in], transposed. */
export function product(
  g: GraphBuilder,
  x: Value,
  matrix: StoredMatrix & { rows: number; columns: number },
  bias?: Value,
  as?: string,
): Value {
  if (matrix.format.bits === 32) {
    const y = g.node(
      "FusedMatMul",
      [x, (matrix as { weight: Value }).weight],
      { transB: 1 },
      bias ? undefined : as,
    );
    return bias ? g.node("Add", [y, bias], {}, as) : y;
  }
  const { data, scales, format } = matrix as Extract<StoredMatrix, { data: Value }>;
  const { bits, blockSize } = format;
  // accuracy_level 4: activations are rounded to int8 block by block; level 1 keeps them in fp32 and is 30 times slower.
  const shape = { K: matrix.columns, N: matrix.rows, bits, block_size: blockSize, accuracy_level: 4 };
  return g.node("MatMulNBits", [x, data, scales, undefined, undefined, bias], shape, as);
}

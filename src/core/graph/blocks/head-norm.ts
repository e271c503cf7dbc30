import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { HeadShape } from "./attention.js";
import { storeTable, storeVector } from "./matrix.js";

/** Norms of queries and keys. */
export interface HeadNorms {
  kind: "rms" | "layer";
  /** What is normed at a time: each head (with the same weights, or each with its own), or the whole projection. */
  over: "head" | "own-head" | "width";
  /** Tensor names, joined end to end; without any the weights are 1. */
  query?: string[];
  key?: string[];
  /** Biases of LayerNorms of each head, [headDim]. */
  queryBias?: string;
  keyBias?: string;
  epsilon: number;
  /** Added to every weight. */
  offset?: number;
}

/** The weights of both norms: [headDim], or [heads · headDim] where not every head has the same. */
export function storeHeadNorms(
  g: GraphBuilder,
  norms: HeadNorms,
  { heads, kvHeads, headDim }: HeadShape,
  ctx: BuildContext,
): { query: Value; key: Value; queryBias?: Value; keyBias?: Value } {
  const { offset, queryBias, keyBias } = norms;
  const store = (name: string, tensors: string[] | undefined, count: number): Value => {
    const full = `${g.scope(name)}.weight`;
    const size = norms.over === "head" ? headDim : count * headDim;
    if (!tensors) return storeTable(g, full, [size], () => new Float32Array(size).fill(1));
    return storeVector(g, full, tensors, ctx, offset === undefined ? undefined : (value) => value + offset);
  };
  return {
    query: store("q_norm", norms.query, heads),
    key: store("k_norm", norms.key, kvHeads),
    ...(queryBias && { queryBias: storeVector(g, `${g.scope("q_norm")}.bias`, [queryBias], ctx) }),
    ...(keyBias && { keyBias: storeVector(g, `${g.scope("k_norm")}.bias`, [keyBias], ctx) }),
  };
}

/** x [batch, sequence, heads · headDim], normed. */
export function normedHeads(
  g: GraphBuilder,
  x: Value,
  weight: Value,
  { kind, over, epsilon }: HeadNorms,
  heads: number,
  headDim: number,
  bias?: Value,
): Value {
  const op = kind === "rms" ? "SimplifiedLayerNormalization" : "LayerNormalization";
  const attributes = { axis: -1, epsilon: { float: epsilon }, ...(kind === "rms" && { stash_type: 1 }) };
  if (over === "width") return g.node(op, [x, weight], attributes);
  const apart = g.node("Reshape", [x, g.constant("int64", [4], [0, 0, heads, headDim])]);
  let normed: Value;
  if (over === "head") normed = g.node(op, [apart, weight, bias], attributes);
  else {
    const ones = g.constant("float32", [headDim], new Array(headDim).fill(1));
    const own = g.node("Reshape", [weight, g.constant("int64", [2], [heads, headDim])]);
    normed = g.node("Mul", [g.node(op, [apart, ones], attributes), own]);
  }
  return g.node("Reshape", [normed, g.constant("int64", [3], [0, 0, heads * headDim])]);
}

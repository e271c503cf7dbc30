import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { HeadShape } from "./attention.js";
import { type HeadNorms, normedHeads, storeHeadNorms } from "./head-norm.js";
import { type Linear, linear } from "./linear.js";
import { type RopeTables, rotated } from "./rope.js";

export interface EncoderAttention {
  qkv: Linear;
  shape: HeadShape;
  /** How far each row is real, [batch]; what lies behind changes nothing. */
  lengths: Value;
  /** q and k are rotated to their positions, 0 and on. */
  rope?: RopeTables;
  /** Norms of q and k, before they are rotated. */
  norms?: HeadNorms;
  /** Added to the scores: [1 | batch, 1 | heads, sequence, sequence]. */
  bias?: Value;
  /** Factor on q · kᵀ; headDim^-½ by default. */
  scale?: number;
}

/** What takes a score out of a softmax; twice it is still finite, so that a row without any score left has no NaN. */
const HIDDEN = -1e30;

/**
 * Bidirectional self-attention without the output projection: x [batch, sequence, hidden] gives
 * [batch, sequence, heads · headDim]. Rows are padded on the right.
 *
 *   x → linear(q | k | v) → Split → norm → rotate → MultiHeadAttention(key_padding_mask = lengths, bias) → y
 *
 * Fewer keys than queries are grouped by another operator:
 *
 *   x → linear(q | k | v) → GroupQueryAttention(causal = 0, seqlens_k = lengths - 1, bias) → y
 */
export function encoderAttention(
  g: GraphBuilder,
  x: Value,
  options: EncoderAttention,
  ctx: BuildContext,
): Value {
  const packed = linear(g, "qkv_proj", x, options.qkv, ctx);
  const [q, k, v] = readyHeads(g, packed, options, ctx);
  if (options.shape.kvHeads < options.shape.heads) return grouped(g, [q, k, v], options);
  return multiHeadAttention(g, [q, k, v], options);
}

/** Attention of q, k and v, [batch, sequence, heads · headDim] each. */
export function multiHeadAttention(
  g: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  { shape, lengths, bias, scale }: Pick<EncoderAttention, "shape" | "lengths" | "bias" | "scale">,
): Value {
  return g.node("MultiHeadAttention", [q, k, v, undefined, lengths, bias], {
    num_heads: shape.heads,
    scale: { float: scale ?? shape.headDim ** -0.5 },
    mask_filter_value: { float: -3.4028234663852886e38 },
  });
}

/**
 * A bias [1, 1, sequence, sequence] that hides what is more than `reach` positions away.
 *
 *   positions → |i - j| → Greater(reach) → Where(hidden, 0)
 */
export function windowBias(g: GraphBuilder, positions: Value, reach: number): Value {
  const axis = (i: number): Value => g.constant("int64", [1], [i]);
  const distance = g.node("Abs", [
    g.node("Sub", [g.node("Unsqueeze", [positions, axis(1)]), g.node("Unsqueeze", [positions, axis(0)])]),
  ]);
  const far = g.node("Greater", [distance, g.constant("int64", [], [reach])]);
  const float = (value: number): Value => g.constant("float32", [1, 1, 1, 1], [value]);
  return g.node("Where", [far, float(HIDDEN), float(0)]);
}

function readyHeads(
  g: GraphBuilder,
  packed: Value,
  { shape, rope, norms }: EncoderAttention,
  ctx: BuildContext,
): [Value, Value, Value] {
  const { heads, kvHeads, headDim } = shape;
  const widths = [heads, kvHeads, kvHeads].map((count) => count * headDim);
  let [q, k, v] =
    heads === kvHeads
      ? g.nodes("Split", [packed], { axis: -1, num_outputs: 3 }, [undefined, undefined, undefined])
      : g.nodes("Split", [packed, g.constant("int64", [3], widths)], { axis: -1 }, [
          undefined,
          undefined,
          undefined,
        ]);
  if (norms) {
    const weights = storeHeadNorms(g, norms, shape, ctx);
    q = normedHeads(g, q, weights.query, norms, heads, headDim);
    k = normedHeads(g, k, weights.key, norms, kvHeads, headDim);
  }
  if (rope) {
    // One position: where all rows begin.
    const begin = g.constant("int64", [1], [0]);
    q = rotated(g, q, begin, rope, { heads, headDim });
    k = rotated(g, k, begin, rope, { heads: kvHeads, headDim });
  }
  return [q, k, v];
}

const INT32 = 6;

function grouped(
  g: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  { shape, lengths, bias, scale }: EncoderAttention,
): Value {
  const sequence = g.node("Squeeze", [
    g.node("Cast", [g.node("Shape", [q], { start: 1, end: 2 })], { to: INT32 }),
  ]);
  const last = g.node("Sub", [lengths, g.constant("int32", [1], [1])]);
  const [y] = g.nodes(
    "GroupQueryAttention",
    [q, k, v, undefined, undefined, last, sequence, undefined, undefined, undefined, bias],
    {
      num_heads: shape.heads,
      kv_num_heads: shape.kvHeads,
      scale: { float: scale ?? shape.headDim ** -0.5 },
      causal: 0,
    },
    [undefined, null, null],
  );
  return y;
}

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
  /** v is rotated, too. */
  rotatedValues?: boolean;
  /** Norms of q and k. */
  norms?: HeadNorms;
  /** Rotation comes before the norms. */
  rotateFirst?: boolean;
  /** Added to the scores: [1 | batch, 1 | heads, sequence, sequence]. */
  bias?: Value;
  /** Factor on q · kᵀ; headDim^-½ by default. */
  scale?: number;
  /** s becomes softcap · tanh(s / softcap). */
  softcap?: number;
  /** Tokens see what stands before them only, and of that so many, themselves among them. */
  causal?: { window?: number };
}

/** What takes a score out of a softmax; twice it is still finite, so that a row without any score left has no NaN. */
const HIDDEN = -1e30;

/**
 * Self-attention of whole texts, without the output projection: x [batch, sequence, hidden] gives
 * [batch, sequence, heads · headDim]. Rows are padded on the right.
 *
 *   x → linear(q | k | v) → Split → norm → rotate → MultiHeadAttention(key_padding_mask = lengths, bias) → y
 *
 * Grouped heads, caps and causality have another operator, which is as exact:
 *
 *   … → GroupQueryAttention(seqlens_k = lengths - 1, bias) → y
 */
export function encoderAttention(
  g: GraphBuilder,
  x: Value,
  options: EncoderAttention,
  ctx: BuildContext,
): Value {
  const { shape, causal, softcap } = options;
  const packed = linear(g, "qkv_proj", x, options.qkv, ctx);
  const qkv = readyHeads(g, packed, options, ctx);
  const plain = shape.kvHeads === shape.heads && !causal && softcap === undefined;
  return plain ? multiHeadAttention(g, qkv, options) : groupedAttention(g, qkv, options);
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
  { shape, rope, rotatedValues, norms, rotateFirst = false }: EncoderAttention,
  ctx: BuildContext,
): [Value, Value, Value] {
  const { heads, kvHeads, headDim } = shape;
  let [q, k, v] = split(g, packed, shape);
  const rotate = (): void => {
    if (!rope) return;
    // One position: where all rows begin.
    const begin = g.constant("int64", [1], [0]);
    q = rotated(g, q, begin, rope, { heads, headDim });
    k = rotated(g, k, begin, rope, { heads: kvHeads, headDim });
    if (rotatedValues) v = rotated(g, v, begin, rope, { heads: kvHeads, headDim });
  };
  if (rotateFirst) rotate();
  if (norms) {
    const weights = storeHeadNorms(g, norms, shape, ctx);
    q = normedHeads(g, q, weights.query, norms, heads, headDim);
    k = normedHeads(g, k, weights.key, norms, kvHeads, headDim);
  }
  if (!rotateFirst) rotate();
  return [q, k, v];
}

function split(g: GraphBuilder, packed: Value, { heads, kvHeads, headDim }: HeadShape): Value[] {
  const outputs = [undefined, undefined, undefined];
  if (heads === kvHeads) return g.nodes("Split", [packed], { axis: -1, num_outputs: 3 }, outputs);
  const widths = [heads, kvHeads, kvHeads].map((count) => count * headDim);
  return g.nodes("Split", [packed, g.constant("int64", [3], widths)], { axis: -1 }, outputs);
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT32 = 6;

function groupedAttention(
  g: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  { shape, lengths, bias, scale, softcap, causal }: EncoderAttention,
): Value {
  const length = g.node("Cast", [g.node("Shape", [q], { start: 1, end: 2 })], { to: INT32 });
  const total = g.node("Squeeze", [length]);
  const last = g.node("Sub", [lengths, g.constant("int32", [1], [1])]);
  const [y] = g.nodes(
    "GroupQueryAttention",
    [q, k, v, undefined, undefined, last, total, undefined, undefined, undefined, bias],
    {
      num_heads: shape.heads,
      kv_num_heads: shape.kvHeads,
      scale: { float: scale ?? shape.headDim ** -0.5 },
      causal: causal ? 1 : 0,
      ...(causal?.window !== undefined && { local_window_size: causal.window }),
      ...(softcap !== undefined && { softcap: { float: softcap } }),
    },
    [undefined, null, null],
  );
  return y;
}

import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { type Linear, linear } from "./linear.js";

/** Inputs of a decoder that every layer's attention shares; shapes as in `decoderInputs`. */
export interface DecoderInputs {
  inputIds: Value;
  seqlensK: Value;
  totalSequenceLength: Value;
  logitsIndices: Value;
}

export interface HeadShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

/**
 * Declares what a decoder's graph takes besides the cache:
 * input_ids [batch, sequence]; seqlens_k [batch], each row's total length minus one; total_sequence_length [], the
 * longest row; logits_indices [n], which of the batch · sequence positions get logits.
 */
export function decoderInputs(g: GraphBuilder): DecoderInputs {
  return {
    inputIds: g.input("input_ids", "int64", ["batch_size", "sequence_length"]),
    seqlensK: g.input("seqlens_k", "int32", ["batch_size"]),
    totalSequenceLength: g.input("total_sequence_length", "int32", []),
    logitsIndices: g.input("logits_indices", "int64", ["logits_count"]),
  };
}

/**
 * Causal self-attention with its cache, without the output projection: x [batch, sequence, hidden] gives
 * [batch, sequence, heads · headDim]. The cache [batch, kvHeads, capacity, headDim] is appended in place when past and
 * present are bound to the same memory.
 *
 *   x → linear(q | k | v) → GroupQueryAttention(past, seqlens_k) → y
 *                                        └→ present
 */
export function causalAttention(
  g: GraphBuilder,
  x: Value,
  options: {
    layer: number;
    qkv: Linear;
    shape: HeadShape;
    inputs: DecoderInputs;
    /** Tables of cosines and sines. Attention rotates q and k itself, so they must arrive here unrotated. */
    rope?: { cos: Value; sin: Value };
    /** Factor on q · kᵀ; headDim^-½ by default. */
    scale?: number;
  },
  ctx: BuildContext,
): Value {
  const { layer, qkv, shape, inputs, rope, scale } = options;
  const { heads, kvHeads, headDim } = shape;
  const packed = linear(g, "qkv_proj", x, qkv, ctx);
  const cacheShape = ["batch_size", kvHeads, "capacity", headDim];
  const pastKey = g.input(`past_key_values.${layer}.key`, "float32", cacheShape);
  const pastValue = g.input(`past_key_values.${layer}.value`, "float32", cacheShape);
  const { seqlensK, totalSequenceLength } = inputs;
  const [y, presentKey, presentValue] = g.nodes(
    "GroupQueryAttention",
    [packed, undefined, undefined, pastKey, pastValue, seqlensK, totalSequenceLength, rope?.cos, rope?.sin],
    {
      num_heads: heads,
      kv_num_heads: kvHeads,
      scale: { float: scale ?? headDim ** -0.5 },
      do_rotary: rope ? 1 : 0,
    },
    [undefined, `present.${layer}.key`, `present.${layer}.value`],
  );
  g.output(presentKey, "float32", cacheShape);
  g.output(presentValue, "float32", cacheShape);
  return y;
}

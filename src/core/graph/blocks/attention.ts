import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { int8Rounding, type NewPlaces, roundedFloatAttention } from "./int8-cache.js";
import { type Linear, linear } from "./linear.js";
import type { RopeTables } from "./rope.js";

/** Inputs of a decoder that every layer's attention shares; shapes as in `decoderInputs`. */
export interface DecoderInputs {
  inputIds: Value;
  seqlensK: Value;
  totalSequenceLength: Value;
  logitsIndices: Value;
  /** Where new tokens go in the cache; computed by the first layer that asks. */
  places?: NewPlaces;
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
    rope?: RopeTables;
    /** Factor on q · kᵀ; headDim^-½ by default. */
    scale?: number;
  },
  ctx: BuildContext,
): Value {
  const { layer, qkv, shape, inputs, rope } = options;
  const { heads, kvHeads, headDim } = shape;
  const packed = linear(g, "qkv_proj", x, qkv, ctx);
  const cacheType = ctx.int8Cache ? "int8" : "float32";
  const cacheShape = ["batch_size", kvHeads, "capacity", headDim];
  const past = {
    key: g.input(`past_key_values.${layer}.key`, cacheType, cacheShape),
    value: g.input(`past_key_values.${layer}.value`, cacheType, cacheShape),
  };
  const present = { key: `present.${layer}.key`, value: `present.${layer}.value` };
  const scale = options.scale ?? headDim ** -0.5;
  const attributes = { num_heads: heads, kv_num_heads: kvHeads, scale: { float: scale } };
  let y: Value;
  if (ctx.int8Cache?.attention === "floats") {
    const scales = ctx.int8Cache.scales[layer];
    y = roundedFloatAttention(g, packed, { past, present, shape, inputs, rope, scales, attributes });
  } else {
    const rounding = ctx.int8Cache && int8Rounding(g, shape, ctx.int8Cache.scales[layer]);
    [y] = g.nodes(
      "GroupQueryAttention",
      [
        ...[packed, undefined, undefined, past.key, past.value, inputs.seqlensK, inputs.totalSequenceLength],
        ...[rope?.cos, rope?.sin, undefined, undefined, undefined],
        ...(rounding?.scales ?? []),
      ],
      { ...attributes, do_rotary: rope ? 1 : 0, ...rounding?.attributes },
      [undefined, present.key, present.value],
    );
  }
  g.output(present.key as Value, cacheType, cacheShape);
  g.output(present.value as Value, cacheType, cacheShape);
  return y;
}

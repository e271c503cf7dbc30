import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import type { DecoderInputs } from "./decoder-inputs.js";
import { tokenPositions } from "./decoder-inputs.js";
import { type HeadNorms, normedHeads, storeHeadNorms } from "./head-norm.js";
import { int8Rounding, roundedFloatAttention } from "./int8-cache.js";
import { type Linear, linear } from "./linear.js";
import { storeVector } from "./matrix.js";
import { type QueryGrowth, queryGrowth } from "./query-growth.js";
import { type RopeTables, rotated } from "./rope.js";

export interface HeadShape {
  heads: number;
  kvHeads: number;
  headDim: number;
}

export interface CausalAttention {
  layer: number;
  qkv: Linear;
  shape: HeadShape;
  inputs: DecoderInputs;
  /** Tables of cosines and sines. Attention rotates q and k itself, so they must arrive here unrotated. */
  rope?: RopeTables;
  /** Factor on q · kᵀ; headDim^-½ by default. */
  scale?: number;
  /** How many positions a query sees, itself among them; absent: all before it. */
  window?: number;
  /** s becomes softcap · tanh(s / softcap). */
  softcap?: number;
  /** Norms of q and k. */
  norms?: HeadNorms;
  /** Rotation comes before the norms. */
  rotateFirst?: boolean;
  growth?: QueryGrowth;
  /** q, k and v are cut to [-clip, clip]. */
  clip?: number;
  /** Added to the scores: [1, heads, sequence, total]. */
  bias?: Value;
  /** Tensor with a logit for each head that takes a share of the attention and gives nothing back. */
  sinks?: string;
}

/**
 * Causal self-attention with its cache, without the output projection: x [batch, sequence, hidden] gives
 * [batch, sequence, heads · headDim]. The cache [batch, kvHeads, capacity, headDim] is appended in place when past and
 * present are bound to the same memory.
 *
 *   x → linear(q | k | v) → GroupQueryAttention(past, seqlens_k) → y
 *                                        └→ present
 *
 * Norms need q, k and v apart; where they stand behind the rotation, that is a node, too:
 *
 *   x → linear → Split → norm → GroupQueryAttention
 */
export function causalAttention(
  g: GraphBuilder,
  x: Value,
  options: CausalAttention,
  ctx: BuildContext,
): Value {
  const { layer, shape, inputs, clip } = options;
  const { heads, kvHeads, headDim } = shape;
  let packed = linear(g, "qkv_proj", x, options.qkv, ctx);
  if (clip !== undefined) {
    const bound = (value: number) => g.constant("float32", [], [value]);
    packed = g.node("Clip", [packed, bound(-clip), bound(clip)]);
  }
  const cacheType = ctx.int8Cache ? "int8" : "float32";
  const cacheShape = ["batch_size", kvHeads, "capacity", headDim];
  const past = {
    key: g.input(`past_key_values.${layer}.key`, cacheType, cacheShape),
    value: g.input(`past_key_values.${layer}.value`, cacheType, cacheShape),
  };
  const present = { key: `present.${layer}.key`, value: `present.${layer}.value` };
  const attributes = {
    num_heads: heads,
    kv_num_heads: kvHeads,
    scale: { float: options.scale ?? headDim ** -0.5 },
    ...(options.window !== undefined && { local_window_size: options.window }),
    ...(options.softcap !== undefined && { softcap: { float: options.softcap } }),
  };
  const sinks = options.sinks && storeVector(g, g.scope("sinks"), [options.sinks], ctx);
  const { query, rope } = queries(g, packed, options, ctx);
  let y: Value;
  if (ctx.int8Cache?.attention === "floats") {
    const scales = ctx.int8Cache.scales[layer];
    const extra = { bias: options.bias, sinks };
    y = roundedFloatAttention(g, query, { past, present, shape, inputs, rope, scales, attributes, extra });
  } else {
    const rounding = ctx.int8Cache && int8Rounding(g, shape, ctx.int8Cache.scales[layer]);
    [y] = g.nodes(
      "GroupQueryAttention",
      [
        ...query,
        ...[past.key, past.value, inputs.seqlensK, inputs.totalSequenceLength],
        ...[rope?.cos, rope?.sin, undefined, options.bias, sinks as Value | undefined],
        ...(rounding?.scales ?? [undefined, undefined]),
      ],
      {
        ...attributes,
        do_rotary: rope ? 1 : 0,
        ...(rope?.interleaved && { rotary_interleaved: 1 }),
        ...rounding?.attributes,
      },
      [undefined, present.key, present.value],
    );
  }
  g.output(present.key as Value, cacheType, cacheShape);
  g.output(present.value as Value, cacheType, cacheShape);
  return y;
}

/** What attention gets for q, k and v: one packed value, or three; with the rotation where that is left to it. */
function queries(
  g: GraphBuilder,
  packed: Value,
  { shape, inputs, rope, norms, rotateFirst, growth }: CausalAttention,
  ctx: BuildContext,
): {
  query: [Value, Value | undefined, Value | undefined];
  rope?: RopeTables;
} {
  const { heads, kvHeads, headDim } = shape;
  const rotates = rope === undefined || rotatesInside(rope, shape);
  if (!norms && !growth && rotates) return { query: [packed, undefined, undefined], rope };
  const stored = norms && storeHeadNorms(g, norms, shape, ctx);
  // The operator has inputs for such norms, but its kernel for the CPU refuses them: "implemented only on the CUDA and
  // WebGPU EPs" (ONNX Runtime 1.30).
  const split = g.constant("int64", [3], [heads * headDim, kvHeads * headDim, kvHeads * headDim]);
  let [q, k, v] = g.nodes("Split", [packed, split], { axis: -1 }, [undefined, undefined, undefined]);
  const rotate = (tables: RopeTables): void => {
    const positions = inputs.rotaryRows ?? tokenPositions(g, inputs);
    q = rotated(g, q, positions, tables, { heads, headDim });
    k = rotated(g, k, positions, tables, { heads: kvHeads, headDim });
  };
  if (rotateFirst && rope) rotate(rope);
  if (stored) {
    q = normedHeads(g, q, stored.query, norms, heads, headDim, stored.queryBias);
    k = normedHeads(g, k, stored.key, norms, kvHeads, headDim, stored.keyBias);
  }
  if (growth) q = g.node("Mul", [q, queryGrowth(g, growth, inputs)]);
  if (rope && !rotateFirst && !rotates) rotate(rope);
  return { query: [q, k, v], rope: rotateFirst || !rotates ? undefined : rope };
}

/** What GroupQueryAttention rotates itself: heads and rotated parts of a multiple of 16, by their positions. */
function rotatesInside({ rotaryDim, longFrom }: RopeTables, { headDim }: HeadShape): boolean {
  return headDim % 16 === 0 && rotaryDim % 16 === 0 && longFrom === undefined;
}

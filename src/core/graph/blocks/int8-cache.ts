import type { GraphBuilder, Value } from "../builder.js";
import type { CacheScales } from "../model-weights.js";
import type { Attributes } from "../proto.js";
import type { DecoderInputs, HeadShape } from "./attention.js";
import type { RopeTables } from "./rope.js";

/** ONNX's number of the type (TensorProto.DataType). */
const FLOAT = 1;
const INT8 = 3;
const INT64 = 7;

/** What GroupQueryAttention needs to round what it appends to the cache and to read it; its last two inputs. */
export function int8Rounding(
  g: GraphBuilder,
  { kvHeads, headDim }: HeadShape,
  { key, value }: CacheScales,
): { scales: Value[]; attributes: Attributes } {
  const shape = [kvHeads, 1, headDim];
  return {
    scales: [g.table("key_scales", shape, key), g.table("value_scales", shape, value)],
    attributes: { k_quant_type: "PER_CHANNEL", v_quant_type: "PER_CHANNEL", kv_cache_bit_width: 8 },
  };
}

/**
 * The same attention through float kernels, for prompts. New keys and values are rounded before anything looks at them,
 * so that a prompt's numbers don't depend on the pieces that it is computed in.
 *
 *   q | k | v → rotate q, k → QuantizeLinear(k, v) ─┬─ ScatterND(past) → present
 *                   │                               └─ DequantizeLinear ─┐
 *                   └──────────────── q ────────────────── GroupQueryAttention → y
 *                       past → Slice → Cast · scale ─────────────────────┘
 */
export function roundedFloatAttention(
  g: GraphBuilder,
  packed: Value,
  options: {
    past: { key: Value; value: Value };
    /** Names of the outputs. */
    present: { key: string; value: string };
    shape: HeadShape;
    inputs: DecoderInputs;
    rope: RopeTables | undefined;
    scales: CacheScales;
    attributes: Attributes;
  },
): Value {
  const { past, present, shape, inputs, rope, scales, attributes } = options;
  const { heads, kvHeads, headDim } = shape;
  inputs.places ??= newPlaces(g, inputs, shape);
  const { places } = inputs;
  const widths = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const split = g.constant("int64", [3], widths);
  const [q, k, v] = g.nodes("Split", [packed, split], { axis: -1 }, [undefined, undefined, undefined]);
  const rotated = (x: Value, count: number): Value =>
    rope
      ? g.node("RotaryEmbedding", [x, places.positions, rope.cos, rope.sin], {
          num_heads: count,
          rotary_embedding_dim: rope.rotaryDim === headDim ? 0 : rope.rotaryDim,
        })
      : x;
  const key = append(g, "key", rotated(k, kvHeads), past.key, present.key, scales.key, places, shape);
  const value = append(g, "value", v, past.value, present.value, scales.value, places, shape);
  const { seqlensK, totalSequenceLength } = inputs;
  const [y] = g.nodes(
    "GroupQueryAttention",
    [rotated(q, heads), key.rows, value.rows, key.past, value.past, seqlensK, totalSequenceLength],
    { ...attributes, do_rotary: 0 },
    [undefined, undefined, undefined],
  );
  return y;
}

export interface NewPlaces {
  /** Of the new tokens: [batch, sequence]. */
  positions: Value;
  /** Where their rows go in the cache, as (batch, head, position): [batch, kvHeads, sequence, 3]. */
  indices: Value;
  /** How many positions of the cache are filled: [1]. Rows of a batch have no past, or there is one row. */
  filled: Value;
}

/** Rows [batch, sequence, width] put into the cache; they and what was there before, as float32 that int8 can hold. */
function append(
  g: GraphBuilder,
  name: "key" | "value",
  rows: Value,
  past: Value,
  present: string,
  scales: Float32Array,
  { indices, filled }: NewPlaces,
  { kvHeads, headDim }: HeadShape,
): { rows: Value; past: Value } {
  const scale = g.table(`${name}_scales`, [kvHeads * headDim], scales);
  const rounded = g.node("QuantizeLinear", [rows, scale], { axis: 2, output_dtype: INT8 });
  const heads = g.node("Reshape", [rounded, g.constant("int64", [4], [0, 0, kvHeads, headDim])]);
  const byHead = g.node("Transpose", [heads], { perm: [0, 2, 1, 3] });
  g.node("ScatterND", [past, indices, byHead], {}, present);
  const [zero, two] = [g.constant("int64", [1], [0]), g.constant("int64", [1], [2])];
  const floats = g.node("Cast", [g.node("Slice", [past, zero, filled, two])], { to: FLOAT });
  const headScale = g.node("Reshape", [scale, g.constant("int64", [4], [1, kvHeads, 1, headDim])]);
  return {
    rows: g.node("DequantizeLinear", [rounded, scale], { axis: 2 }),
    past: g.node("Mul", [floats, headScale]),
  };
}

/** Out of the lengths. A padded row that begins a batch starts at 0, though it is longer than its sequence. */
function newPlaces(
  g: GraphBuilder,
  { inputIds, seqlensK }: DecoderInputs,
  { kvHeads }: HeadShape,
): NewPlaces {
  const axes = (...list: number[]): Value => g.constant("int64", [list.length], list);
  const count = (x: Value): Value =>
    g.node("Range", [
      g.constant("int64", [], [0]),
      g.node("Squeeze", [x, axes(0)]),
      g.constant("int64", [], [1]),
    ]);
  const batch = g.node("Shape", [inputIds], { start: 0, end: 1 });
  const length = g.node("Shape", [inputIds], { start: 1, end: 2 });
  const total = g.node("Add", [g.node("Cast", [seqlensK], { to: INT64 }), axes(1)]);
  const start = g.node("Max", [g.node("Sub", [total, length]), axes(0)]);
  const positions = g.node("Add", [g.node("Unsqueeze", [start, axes(1)]), count(length)]);
  const all = g.node("Concat", [batch, axes(kvHeads), length, axes(1)], { axis: 0 });
  const heads = g.constant("int64", [1, kvHeads, 1, 1], [...Array(kvHeads).keys()]);
  const parts = [
    g.node("Unsqueeze", [count(batch), axes(1, 2, 3)]),
    heads,
    g.node("Unsqueeze", [positions, axes(1, 3)]),
  ].map((part) => g.node("Expand", [part, all]));
  const indices = g.node("Concat", parts, { axis: -1 });
  return { positions, indices, filled: g.node("ReduceMax", [start], { keepdims: 1 }) };
}

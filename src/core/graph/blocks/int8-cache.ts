import type { GraphBuilder, Value } from "../builder.js";
import type { CacheScales } from "../model-weights.js";
import type { Attributes } from "../proto.js";
import type { HeadShape } from "./attention.js";
import { type DecoderInputs, type NewPlaces, newPlaces, tokenPositions } from "./decoder-inputs.js";
import { type RopeTables, rotated } from "./rope.js";

/** ONNX's number of the type (TensorProto.DataType). */
const FLOAT = 1;
const INT8 = 3;

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
  /** q, k and v: one packed value, or three. */
  query: [Value, Value | undefined, Value | undefined],
  options: {
    past: { key: Value; value: Value };
    /** Names of the outputs. */
    present: { key: string; value: string };
    shape: HeadShape;
    inputs: DecoderInputs;
    rope: RopeTables | undefined;
    scales: CacheScales;
    attributes: Attributes;
    extra: { bias: Value | undefined; sinks: string | undefined };
  },
): Value {
  const { past, present, shape, inputs, rope, scales, attributes, extra } = options;
  const { heads, kvHeads, headDim } = shape;
  inputs.places ??= newPlaces(g, inputs, kvHeads);
  const { places } = inputs;
  const [q, k, v] = query[1] ? (query as Value[]) : apart(g, query[0], shape);
  const turned = (x: Value, count: number): Value =>
    rope ? rotated(g, x, tokenPositions(g, inputs), rope, { heads: count, headDim }) : x;
  const key = append(g, "key", turned(k, kvHeads), past.key, present.key, scales.key, places, shape);
  const value = append(g, "value", v, past.value, present.value, scales.value, places, shape);
  const { seqlensK, totalSequenceLength } = inputs;
  const [y] = g.nodes(
    "GroupQueryAttention",
    [
      ...[turned(q, heads), key.rows, value.rows, key.past, value.past, seqlensK, totalSequenceLength],
      ...[undefined, undefined, undefined, extra.bias, extra.sinks as Value | undefined],
    ],
    { ...attributes, do_rotary: 0 },
    [undefined, undefined, undefined],
  );
  return y;
}

function apart(g: GraphBuilder, packed: Value, { heads, kvHeads, headDim }: HeadShape): Value[] {
  const widths = [heads * headDim, kvHeads * headDim, kvHeads * headDim];
  const split = g.constant("int64", [3], widths);
  return g.nodes("Split", [packed, split], { axis: -1 }, [undefined, undefined, undefined]);
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

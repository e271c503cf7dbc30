import type { GraphBuilder, Value } from "../builder.js";
import type { DecoderInputs } from "./decoder-inputs.js";

/** ONNX's numbers of the types (TensorProto.DataType). */
const FLOAT = 1;
const INT64 = 7;
const BFLOAT16 = 16;

/** Linear biases of attention: what a head's scores grow by for each position of the key. */
export interface Alibi {
  /** Of each head. */
  slopes: Float32Array;
  /** Positions, and their products with the slopes, are rounded to bfloat16. */
  rounded?: boolean;
  /** Factor on the biases. */
  factor?: number;
}

/**
 * Attention with linear biases: slope · position of the key, [1, heads, sequence, total]. Only differences between keys
 * count, so positions are counted from the beginning: a row's numbers don't depend on how long others are. Source:
 * Press et al., Train Short, Test Long (2022).
 */
export function alibi(g: GraphBuilder, of: Alibi, inputs: DecoderInputs): Value {
  inputs.alibi ??= biases(g, of, inputs);
  return inputs.alibi;
}

/**
 * Slopes of a number of heads: 2^(-8i/n) for a power of two; otherwise those of the power below, and every second one of
 * the power above. Source: the paper's code; transformers, models/bloom/modeling_bloom.py.
 */
export function alibiSlopes(heads: number): Float32Array {
  const powers = (count: number, factor: number, base: number) =>
    Array.from({ length: count }, (_, i) => base ** (factor * i + 1));
  const below = 2 ** Math.floor(Math.log2(heads));
  const slopes = powers(below, 1, 2 ** -(8 / below));
  if (below < heads) slopes.push(...powers(heads - below, 2, 2 ** -(4 / below)));
  return Float32Array.from(slopes);
}

function biases(g: GraphBuilder, { slopes, rounded, factor = 1 }: Alibi, inputs: DecoderInputs): Value {
  const scalar = (value: number) => g.constant("int64", [], [value]);
  const round = (value: Value) => (rounded ? g.node("Cast", [value], { to: BFLOAT16 }) : value);
  const floats = (value: Value) => g.node("Cast", [value], { to: FLOAT });
  const total = g.node("Cast", [inputs.totalSequenceLength], { to: INT64 });
  const positions = floats(round(g.node("Range", [scalar(0), total, scalar(1)])));
  const heads = slopes.length;
  let bias = g.node("Mul", [g.constant("float32", [1, heads, 1, 1], [...slopes]), positions]);
  if (rounded) bias = floats(round(bias));
  if (factor !== 1) bias = g.node("Mul", [bias, g.constant("float32", [], [factor])]);
  const length = g.node("Shape", [inputs.inputIds], { start: 1, end: 2 });
  const one = g.constant("int64", [1], [1]);
  return g.node("Expand", [bias, g.node("Concat", [one, one, length, one], { axis: 0 })]);
}

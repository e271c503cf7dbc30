import type { GraphBuilder, Value } from "../builder.js";

/** Inputs of a decoder that every layer's attention shares; shapes as in `decoderInputs`. */
export interface DecoderInputs {
  inputIds: Value;
  seqlensK: Value;
  totalSequenceLength: Value;
  logitsIndices: Value;
  /** Rows of the new tokens in the tables of rotation, where those are not their positions: an input, [batch, sequence]. */
  rotaryRows?: Value;
  /** Of the new tokens, [batch, sequence], and where each row begins, [batch]; computed by the first layer that asks. */
  positions?: { tokens: Value; start: Value };
  /** Linear biases of all heads, where a model has them; computed by the first layer that asks. */
  alibi?: Value;
  /** What queries are multiplied with, where a model does that; computed by the first layer that asks. */
  growth?: Value;
  /** Where new tokens go in a cache of int8; computed by the first layer that asks. */
  places?: NewPlaces;
}

export interface NewPlaces {
  /** Where the rows of new tokens go in the cache, as (batch, head, position): [batch, kvHeads, sequence, 3]. */
  indices: Value;
  /** How many positions of the cache are filled: [1]. Rows of a batch have no past, or there is one row. */
  filled: Value;
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT64 = 7;

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
 * The positions of the new tokens, [batch, sequence], out of the lengths. A padded row that begins a batch starts at 0,
 * though it is longer than its sequence.
 */
export function tokenPositions(g: GraphBuilder, inputs: DecoderInputs): Value {
  inputs.positions ??= newPositions(g, inputs);
  return inputs.positions.tokens;
}

/** Where the new tokens' keys and values go in a cache that the graph writes itself. */
export function newPlaces(g: GraphBuilder, inputs: DecoderInputs, kvHeads: number): NewPlaces {
  const positions = tokenPositions(g, inputs);
  const start = (inputs.positions as { start: Value }).start;
  const batch = g.node("Shape", [inputs.inputIds], { start: 0, end: 1 });
  const length = g.node("Shape", [inputs.inputIds], { start: 1, end: 2 });
  const all = g.node("Concat", [batch, axes(g, kvHeads), length, axes(g, 1)], { axis: 0 });
  const heads = g.constant("int64", [1, kvHeads, 1, 1], [...Array(kvHeads).keys()]);
  const parts = [
    g.node("Unsqueeze", [count(g, batch), axes(g, 1, 2, 3)]),
    heads,
    g.node("Unsqueeze", [positions, axes(g, 1, 3)]),
  ].map((part) => g.node("Expand", [part, all]));
  const indices = g.node("Concat", parts, { axis: -1 });
  return { indices, filled: g.node("ReduceMax", [start], { keepdims: 1 }) };
}

function newPositions(
  g: GraphBuilder,
  { inputIds, seqlensK }: DecoderInputs,
): NonNullable<DecoderInputs["positions"]> {
  const length = g.node("Shape", [inputIds], { start: 1, end: 2 });
  const total = g.node("Add", [g.node("Cast", [seqlensK], { to: INT64 }), axes(g, 1)]);
  const start = g.node("Max", [g.node("Sub", [total, length]), axes(g, 0)]);
  return { start, tokens: g.node("Add", [g.node("Unsqueeze", [start, axes(g, 1)]), count(g, length)]) };
}

function axes(g: GraphBuilder, ...list: number[]): Value {
  return g.constant("int64", [list.length], list);
}

/** 0, 1 … x - 1 for x [1]. */
function count(g: GraphBuilder, x: Value): Value {
  const [zero, one] = [g.constant("int64", [], [0]), g.constant("int64", [], [1])];
  return g.node("Range", [zero, g.node("Squeeze", [x, axes(g, 0)]), one]);
}

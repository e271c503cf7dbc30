import type { GraphBuilder, Value } from "../builder.js";
import type { HeadShape } from "./attention.js";
import { multiHeadAttention } from "./encoder-attention.js";

/**
 * DeBERTa's attention, whose scores know content and distance apart. Sources: arXiv 2006.03654; transformers,
 * models/deberta_v2/modeling_deberta_v2.py.
 */
export interface RelativePositions {
  /** Distances that are told apart on either side; the table has twice as many rows. */
  span: number;
  /** From here on distances share logarithmic buckets, of which there are `span` on either side. */
  buckets?: { maxDistance: number };
}

/** What all layers share, for a sequence of s: rows of the table for the distances -(s - 1) … s - 1, and sizes. */
export interface Distances {
  /** Rows by i - j, [2s - 1]. */
  ascending: Value;
  /** The same backwards: rows by j - i. */
  descending: Value;
  /** s, s - 1, and (s - 1) + s · (2s - 2), each [1]. */
  length: Value;
  skip: Value;
  end: Value;
}

/** Looks up the distances of the run's sequence, which has `positions` [s] and at most `longest` of them. */
export function distancesOf(
  g: GraphBuilder,
  relative: RelativePositions,
  positions: Value,
  longest: number,
): Distances {
  const int = (value: number): Value => g.constant("int64", [1], [value]);
  const length = g.node("Shape", [positions]);
  const skip = g.node("Sub", [length, int(1)]);
  const pairs = g.node("Mul", [length, g.node("Add", [skip, skip])]);
  const rows = Array.from({ length: 2 * longest - 1 }, (_, i) => tableRow(i - (longest - 1), relative));
  const part = (name: string, values: number[]): Value => {
    const all = g.table(name, [values.length], Float32Array.from(values));
    const from = g.node("Sub", [int(longest), length]);
    const middle = g.node("Slice", [all, from, g.node("Add", [skip, int(longest)])]);
    return g.node("Cast", [middle], { to: INT64 });
  };
  return {
    ascending: part("rows.ascending", rows),
    descending: part("rows.descending", rows.toReversed()),
    length,
    skip,
    end: g.node("Add", [pairs, skip]),
  };
}

export interface DisentangledAttention {
  shape: HeadShape;
  lengths: Value;
  distances: Distances;
  /** What content finds in a distance (c2p): [heads, 2 · span, headDim]. */
  keys?: Value;
  /** What a distance finds in content (p2c): [heads, 2 · span, headDim]. */
  queries?: Value;
  /** Factor on every score. */
  scale: number;
}

/**
 * Attention of q, k and v, [batch, sequence, hidden] each, by content and by distance:
 *
 *   q · (keys of j - i)ᵀ    → skewed ─────────────┐
 *   k · (queries of i - j)ᵀ → skewed → Transpose ─ Add → bias
 *   q, k, v ───────────────────────────────────────────── MultiHeadAttention(bias) → y
 */
export function disentangledAttention(
  g: GraphBuilder,
  [q, k, v]: readonly [Value, Value, Value],
  options: DisentangledAttention,
): Value {
  const { shape, lengths, distances, scale } = options;
  const score = (x: Value, table: Value, rows: Value): Value => {
    const near = g.node("Gather", [table, rows], { axis: 1 });
    const scores = g.node("FusedMatMul", [headsApart(g, x, shape), near], {
      transB: 1,
      alpha: { float: scale },
    });
    return skewed(g, scores, distances);
  };
  const terms: Value[] = [];
  if (options.keys) terms.push(score(q, options.keys, distances.descending));
  if (options.queries) {
    const byKey = score(k, options.queries, distances.ascending);
    terms.push(g.node("Transpose", [byKey], { perm: [0, 1, 3, 2] }));
  }
  const bias = terms.length > 1 ? g.node("Add", terms) : terms.at(0);
  return multiHeadAttention(g, [q, k, v], { shape, lengths, bias, scale });
}

/** x [batch, sequence, heads · headDim] as [batch, heads, sequence, headDim]. */
function headsApart(g: GraphBuilder, x: Value, { heads, headDim }: HeadShape): Value {
  const apart = g.node("Reshape", [x, g.constant("int64", [4], [0, 0, heads, headDim])]);
  return g.node("Transpose", [apart], { perm: [0, 2, 1, 3] });
}

/**
 * Scores by distance, [batch, heads, s, 2s - 1], become scores by position, [batch, heads, s, s]: row i begins
 * s - 1 - i columns later. In a row of 2s - 1 numbers that is one step of 2s - 2, so nothing has to be gathered.
 * Source: the relative shift of Transformer-XL, arXiv 1901.02860, appendix B.
 */
function skewed(g: GraphBuilder, scores: Value, { length, skip, end }: Distances): Value {
  const int = (...values: number[]): Value => g.constant("int64", [values.length], values);
  const flat = g.node("Reshape", [scores, int(0, 0, -1)]);
  const steps = g.node("Slice", [flat, skip, end, int(2)]);
  const rows = g.node("Reshape", [steps, g.node("Concat", [int(0, 0), length, int(-1)], { axis: 0 })]);
  return g.node("Slice", [rows, int(0), length, int(3)]);
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT64 = 7;

/** The row of the table for i - j = `distance`, rounded as PyTorch rounds in float32. */
function tableRow(distance: number, { span, buckets }: RelativePositions): number {
  const bucket = buckets ? Math.trunc(bucketOf(distance, span, buckets.maxDistance)) : distance;
  return Math.min(Math.max(bucket + span, 0), 2 * span - 1);
}

function bucketOf(distance: number, span: number, maxDistance: number): number {
  const { fround } = Math;
  const middle = Math.floor(span / 2);
  const far = Math.abs(distance);
  if (far <= middle) return distance;
  const log = (value: number): number => fround(Math.log(fround(value)));
  const share = fround(log(far / middle) / log((maxDistance - 1) / middle));
  return Math.sign(distance) * (Math.ceil(fround(share * (middle - 1))) + middle);
}

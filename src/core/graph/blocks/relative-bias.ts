import type { GraphBuilder, Value } from "../builder.js";
import type { BuildContext } from "../model-weights.js";
import { storeTable } from "./matrix.js";

/** Biases of attention by how far query and key are apart, in buckets that grow with the distance. */
export interface RelativeBias {
  /** Tensor [buckets, heads]. */
  tensor: string;
  buckets: number;
  /** All positions that are farther apart share a bucket. */
  maxDistance: number;
}

/** A bias for each distance: [heads, distances]. */
export interface DistanceTable {
  table: Value;
  maxDistance: number;
}

/**
 * The biases by distance instead of by bucket, so that no graph computes logarithms. `both`: distances (key - query)
 * from -maxDistance to maxDistance, for encoders; `past`: (query - key) from 0 to maxDistance.
 */
export function storeDistanceTable(
  g: GraphBuilder,
  { tensor, buckets, maxDistance }: RelativeBias,
  direction: "both" | "past",
  ctx: BuildContext,
): DistanceTable {
  const [, heads] = ctx.weights.shape(tensor);
  const first = direction === "both" ? -maxDistance : 0;
  const distances = Array.from({ length: maxDistance - first + 1 }, (_, i) => first + i);
  const table = storeTable(g, `${g.scope(tensor)}.by_distance`, [heads, distances.length], async () => {
    const rows = await ctx.weights.read(tensor);
    const bucketOf = direction === "both" ? encoderBucket : decoderBucket;
    const chosen = distances.map((distance) => bucketOf(distance, { buckets, maxDistance }));
    return Float32Array.from({ length: heads * chosen.length }, (_, i) => {
      const head = Math.floor(i / chosen.length);
      return rows[chosen[i % chosen.length] * heads + head];
    });
  });
  return { table, maxDistance };
}

/**
 * The bias [1, heads, sequence, sequence] of positions [sequence].
 *
 *   positions → key - query → Clip → Gather(table)
 */
export function encoderBias(g: GraphBuilder, positions: Value, { table, maxDistance }: DistanceTable): Value {
  const axis = (i: number): Value => g.constant("int64", [1], [i]);
  const number = (value: number): Value => g.constant("int64", [], [value]);
  const apart = g.node("Sub", [
    g.node("Unsqueeze", [positions, axis(0)]),
    g.node("Unsqueeze", [positions, axis(1)]),
  ]);
  const near = g.node("Clip", [apart, number(-maxDistance), number(maxDistance)]);
  const rows = g.node("Add", [near, number(maxDistance)]);
  return g.node("Unsqueeze", [g.node("Gather", [table, rows], { axis: 1 }), axis(0)]);
}

/**
 * The bias [batch, heads, sequence, total] of queries at positions [batch, sequence] to keys 0 … total - 1.
 *
 *   positions → query - key → Clip → Gather(table) → Transpose
 */
export function decoderBias(
  g: GraphBuilder,
  positions: Value,
  total: Value,
  { table, maxDistance }: DistanceTable,
): Value {
  const number = (value: number): Value => g.constant("int64", [], [value]);
  const keys = g.node("Range", [number(0), g.node("Cast", [total], { to: INT64 }), number(1)]);
  const queries = g.node("Unsqueeze", [positions, g.constant("int64", [1], [2])]);
  const near = g.node("Clip", [g.node("Sub", [queries, keys]), number(0), number(maxDistance)]);
  return g.node("Transpose", [g.node("Gather", [table, near], { axis: 1 })], { perm: [1, 0, 2, 3] });
}

/** ONNX's number of the type (TensorProto.DataType). */
const INT64 = 7;

interface Buckets {
  buckets: number;
  maxDistance: number;
}

/** The bucket of key - query; half of the buckets are for keys behind the query. Source: transformers, models/t5/modeling_t5.py. */
export function encoderBucket(distance: number, { buckets, maxDistance }: Buckets): number {
  const half = buckets / 2;
  const bucket = decoderBucket(Math.abs(distance), { buckets: half, maxDistance });
  return distance > 0 ? half + bucket : bucket;
}

/** The bucket of query - key, at least 0. */
export function decoderBucket(distance: number, { buckets, maxDistance }: Buckets): number {
  const exact = Math.floor(buckets / 2);
  if (distance < exact) return distance;
  // In float32 like PyTorch: at a power of two it decides which side of a border the distance falls on.
  const { fround } = Math;
  const logarithm = fround(Math.log(fround(distance / exact)));
  const share = fround(logarithm / fround(Math.log(maxDistance / exact)));
  return Math.min(exact + Math.trunc(fround(share * (buckets - exact))), buckets - 1);
}

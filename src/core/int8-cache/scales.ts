import type { CacheScales } from "../graph/model-weights.js";
import type { DecoderInfo } from "../models/types.js";
import type { KvCache } from "../runtime/kv-cache.js";

/** Room above what was seen: no calibration sees the largest value of every component. */
const ROOM = 1.25;
/** A component that was small gets more of it, but not so much that its own values lose their sense. */
const MOST_ROOM = 3;
const LEVELS = 127;

type Rotation = Pick<DecoderInfo, "rotaryDim" | "rotaryInterleaved">;

/**
 * The steps of int8 for each component of keys and values, out of a float32 cache that holds `length` positions of a
 * text. Values beyond 127 steps are cut off, which does more harm than a coarse grid: on SmolLM2 other texts reach 3.6
 * times what the calibration's reached, and mostly in components that are small. So a component's range is the
 * geometric mean of what it reached and what the layer reached, within limits.
 *
 * @param rotation how many components of a head are rotated by position, and whether neighbours are pairs; otherwise
 *   the first half is rotated against the second. A pair gets one range, that of its length: at a later position either of the two may have all of it.
 */
export function cacheScales(cache: KvCache, length: number, rotation: Rotation = {}): CacheScales[] {
  return cache.keys.map((_, layer) => ({
    key: stepsOf(largest(cache, "keys", layer, length, rotation)),
    value: stepsOf(largest(cache, "values", layer, length, {})),
  }));
}

/** The largest magnitude of each component, [kvHeads · headDim]. */
function largest(
  cache: KvCache,
  tensors: "keys" | "values",
  layer: number,
  length: number,
  { rotaryDim = 0, rotaryInterleaved = false }: Rotation,
): Float32Array {
  const { kvHeads, headDim } = cache.shape;
  const { data } = cache[tensors][layer];
  const half = rotaryDim / 2;
  const partnerOf = (i: number): number => (rotaryInterleaved ? i ^ 1 : i < half ? i + half : i - half);
  const result = new Float32Array(kvHeads * headDim);
  for (let head = 0; head < kvHeads; head++) {
    for (let position = 0; position < length; position++) {
      const at = (head * cache.capacity + position) * headDim;
      for (let i = 0; i < headDim; i++) {
        const partner = i >= rotaryDim ? undefined : partnerOf(i);
        const value = data[at + i];
        const magnitude = partner === undefined ? Math.abs(value) : Math.hypot(value, data[at + partner]);
        const component = head * headDim + i;
        if (magnitude > result[component]) result[component] = magnitude;
      }
    }
  }
  return result;
}

function stepsOf(magnitudes: Float32Array): Float32Array {
  const most = magnitudes.reduce((a, b) => Math.max(a, b), 0) || 1;
  return magnitudes.map((magnitude) => {
    // Never seen to be anything but zero: the layer's range is as good a guess as any.
    if (magnitude === 0) return most / LEVELS;
    const range = ROOM * Math.sqrt(magnitude * most);
    return Math.min(range, MOST_ROOM * magnitude) / LEVELS;
  });
}

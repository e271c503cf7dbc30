import { describe, expect, it } from "vitest";
import { cacheScales } from "../../../src/core/int8-cache/scales.js";
import { KvCache } from "../../../src/core/runtime/kv-cache.js";

/** A cache of one layer and one head whose positions hold these keys; values are the same. */
function cacheOf(rows: number[][]): KvCache {
  const cache = new KvCache({ layers: 1, kvHeads: 1, headDim: rows[0].length }, 1, 1000);
  cache.reserve(rows.length, 0);
  cache.keys[0].data.set(rows.flat());
  cache.values[0].data.set(rows.flat());
  return cache;
}

/** What 127 steps reach. */
const ranges = (scales: Float32Array): number[] => [...scales].map((step) => Math.fround(step * 127));

describe("the scales of an int8 cache", () => {
  it("leave room above what was seen: more for a component that was small, within limits", () => {
    const cache = cacheOf([
      [-8, 2, 0.1, 0],
      [4, 1, 0.1, 0],
    ]);
    const [{ key, value }] = cacheScales(cache, 2);
    const [large, middle, small, never] = ranges(key);
    expect(large).toBeCloseTo(10);
    expect(middle).toBeCloseTo(1.25 * Math.sqrt(2 * 8));
    expect(small).toBeCloseTo(0.3);
    expect(never).toBeCloseTo(8);
    expect(value).toEqual(key);
  });

  it("give the two components of a rotated pair one range: that of its length", () => {
    const cache = cacheOf([[3, 1, 4, 1]]);
    const [{ key, value }] = cacheScales(cache, 1, { rotaryDim: 4 });
    // Components 0 and 2 are a pair, 1 and 3 the other.
    expect(key[0]).toBe(key[2]);
    expect(key[1]).toBe(key[3]);
    expect(ranges(key)[0]).toBeCloseTo(1.25 * 5);
    expect(value[0]).not.toBe(value[2]);
    const [neighbours] = cacheScales(cache, 1, { rotaryDim: 2, rotaryInterleaved: true });
    expect(neighbours.key[0]).toBe(neighbours.key[1]);
    expect(neighbours.key[2]).not.toBe(neighbours.key[3]);
  });

  it("look at filled positions only, and are above zero also where nothing was seen", () => {
    const cache = cacheOf([
      [1, 1],
      [100, 100],
    ]);
    expect(ranges(cacheScales(cache, 1)[0].key)[0]).toBeCloseTo(1.25);
    for (const step of cacheScales(cacheOf([[0, 0]]), 1)[0].key) expect(step).toBeGreaterThan(0);
  });
});

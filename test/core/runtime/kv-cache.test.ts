import { describe, expect, it } from "vitest";
import { KvCache } from "../../../src/core/runtime/kv-cache.js";

const shape = { layers: 2, kvHeads: 3, headDim: 4 };

/** Writes a number that says where it stands into every used position. */
function fill(cache: KvCache, used: number): void {
  for (const tensors of [cache.keys, cache.values]) {
    for (const [layer, { data }] of tensors.entries()) {
      for (let head = 0; head < cache.slots * shape.kvHeads; head++) {
        for (let i = 0; i < used * shape.headDim; i++) {
          data[head * cache.capacity * shape.headDim + i] = layer * 10_000 + head * 1000 + i;
        }
      }
    }
  }
}

describe("the cache of keys and values", () => {
  it("takes no memory before it is needed", () => {
    expect(new KvCache(shape, 1, 8192).byteLength).toBe(0);
  });

  it("grows in steps, keeps what is used, and says when its memory moved", () => {
    const cache = new KvCache(shape, 2, 10_000);
    cache.reserve(10, 0);
    const { version } = cache;
    expect(cache.capacity).toBe(256);
    expect(cache.byteLength).toBe(2 * 2 * 2 * 3 * 256 * 4 * 4);
    fill(cache, 200);
    cache.reserve(256, 200);
    expect(cache.version).toBe(version);
    cache.reserve(257, 200);
    expect(cache.version).not.toBe(version);
    expect(cache.capacity).toBe(512);
    const grown = cache.keys.map(({ data }) => data.slice());
    fill(cache, 200);
    expect(cache.keys.map(({ data }) => data)).toEqual(grown);
    expect(cache.keys[0].shape).toEqual([2, 3, 512, 4]);
    expect(cache.keys).toHaveLength(shape.layers);
    // Later by a half, so that a long answer does not copy its past again and again.
    cache.reserve(3000, 0);
    cache.reserve(3073, 0);
    expect(cache.capacity).toBeGreaterThanOrEqual(4608);
  });

  it("takes a quarter of the memory in int8, and moves it alike", () => {
    const int8 = { ...shape, cacheType: "int8" } as const;
    expect(KvCache.positionBytes(int8)).toBe(KvCache.positionBytes(shape) / 4);
    const cache = new KvCache(int8, 2, 10_000);
    cache.reserve(10, 0);
    expect(cache.keys[0].data).toBeInstanceOf(Int8Array);
    expect(cache.byteLength).toBe(2 * 2 * 2 * 3 * 256 * 4);
    for (const { data } of [...cache.keys, ...cache.values])
      for (let i = 0; i < data.length; i++) data[i] = (i * 7) % 251;
    const positions = cache.read(1, 3, 5);
    expect(positions).toBeInstanceOf(Int8Array);
    cache.reserve(300, 10);
    expect(cache.read(1, 3, 5)).toEqual(positions);
    const other = new KvCache(int8, 3, 10_000);
    other.reserve(20, 0);
    other.write(2, 8, 5, positions);
    expect(other.read(2, 8, 5)).toEqual(positions);
    other.copyFrom(cache, 1, 0, 8);
    expect(other.read(0, 3, 5)).toEqual(positions);
  });

  it("never passes the length that the model has", () => {
    const cache = new KvCache(shape, 1, 300);
    cache.reserve(10, 0);
    cache.reserve(257, 10);
    expect(cache.capacity).toBe(300);
    const { version } = cache;
    cache.reserve(300, 257);
    expect(cache.version).toBe(version);
  });
});

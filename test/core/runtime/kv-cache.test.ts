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

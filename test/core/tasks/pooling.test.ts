import { describe, expect, it } from "vitest";
import { pool } from "../../../src/core/tasks/pooling.js";
import type { PoolingMode } from "../../../src/core/text/sentence-transformers.js";

describe("pooling", () => {
  // Two rows of three tokens with two components; of the second row two tokens are real.
  const states = Float32Array.from([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 999, 999]);

  it.each<[PoolingMode, number[]]>([
    ["mean", [20, 30]],
    ["cls", [10, 20]],
    ["last", [30, 40]],
    ["max", [30, 40]],
    // Later tokens count more: (1 · 10 + 2 · 30) / 3.
    ["weightedmean", [70 / 3, 100 / 3]],
    ["mean_sqrt_len", [40 / Math.SQRT2, 60 / Math.SQRT2]],
  ])("by %s looks at the real tokens", (mode, expected) => {
    expect([...pool(states, 6, 2, 2, [mode])]).toEqual(expected.map(Math.fround));
  });

  it("takes the mean of a row without padding", () => {
    expect([...pool(states, 0, 3, 2, ["mean"])]).toEqual([3, 4]);
  });

  it("puts what several modes give side by side", () => {
    expect([...pool(states, 0, 3, 2, ["cls", "max", "mean"])]).toEqual([1, 2, 5, 6, 3, 4]);
  });

  it("gives memory of its own, because the states are overwritten by the next run", () => {
    for (const mode of ["mean", "cls", "last", "max"] as const) {
      const vector = pool(states.slice(), 0, 3, 2, [mode]);
      expect(vector.buffer.byteLength).toBe(8);
    }
  });
});

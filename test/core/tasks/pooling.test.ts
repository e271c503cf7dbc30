import { describe, expect, it } from "vitest";
import { normalize, pool } from "../../../src/core/tasks/pooling.js";

describe("pooling", () => {
  // Two rows of three tokens with two components; of the second row two tokens are real.
  const states = Float32Array.from([1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 999, 999]);

  it("takes the mean of the real tokens, the first, or the last real one", () => {
    expect([...pool(states, 0, 3, 2, "mean")]).toEqual([3, 4]);
    expect([...pool(states, 6, 2, 2, "mean")]).toEqual([20, 30]);
    expect([...pool(states, 6, 2, 2, "cls")]).toEqual([10, 20]);
    expect([...pool(states, 6, 2, 2, "last")]).toEqual([30, 40]);
  });

  it("gives memory of its own, because the states are overwritten by the next run", () => {
    for (const pooling of ["mean", "cls", "last"] as const) {
      const vector = pool(states.slice(), 0, 3, 2, pooling);
      expect(vector.buffer.byteLength).toBe(8);
    }
  });
});

describe("normalising", () => {
  it("scales to length 1 and leaves zeros", () => {
    expect([...normalize(Float32Array.from([3, 4]))].map((value) => value.toFixed(6))).toEqual([
      "0.600000",
      "0.800000",
    ]);
    expect([...normalize(new Float32Array(3))]).toEqual([0, 0, 0]);
  });
});

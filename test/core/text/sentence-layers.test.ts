import { describe, expect, it } from "vitest";
import { normalize, outputSize } from "../../../src/core/text/sentence-layers.js";

describe("normalising", () => {
  it("scales to length 1 and leaves zeros", () => {
    expect([...normalize(Float32Array.from([3, 4]))].map((value) => value.toFixed(6))).toEqual([
      "0.600000",
      "0.800000",
    ]);
    expect([...normalize(new Float32Array(3))]).toEqual([0, 0, 0]);
  });
});

describe("layers behind pooling", () => {
  const apply = (vector: Float32Array): Float32Array => vector;

  it("say how long the vectors are in the end", () => {
    expect(
      outputSize([{ inputs: 4, outputs: 6, apply }, { apply }, { inputs: 6, outputs: 2, apply }], 4),
    ).toBe(2);
  });

  it("are refused where one doesn't take what it gets", () => {
    expect(() => outputSize([{ inputs: 8, outputs: 2, apply }], 4)).toThrow(
      "a layer takes vectors of 8 components, but gets 4",
    );
  });
});

import { describe, expect, it } from "vitest";
import { percentile, summarize } from "../../../src/core/bench/statistics.js";
import fc from "../../property.js";

const sample = fc.double({ min: -1e9, max: 1e9, noNaN: true });
const samples = fc.array(sample, { minLength: 1, maxLength: 60 });
const share = fc.double({ min: 0, max: 1, noNaN: true });

describe("a percentile", () => {
  it("is NumPy's", () => {
    const values = [15, 20, 35, 40, 50];
    expect([0, 0.05, 0.3, 0.4, 0.5, 0.9, 1].map((p) => percentile(values, p))).toEqual(
      [15, 16, 23, 29, 35, 46, 50].map((value) => expect.closeTo(value, 9)),
    );
  });

  it("lies between the lowest and the highest, which are those of 0 and 1", () => {
    fc.assert(
      fc.property(samples, share, (values, p) => {
        const found = percentile(values, p);
        expect(found).toBeGreaterThanOrEqual(Math.min(...values));
        expect(found).toBeLessThanOrEqual(Math.max(...values));
        // Adding zero makes 0 of -0.
        expect(percentile(values, 0) + 0).toBe(Math.min(...values) + 0);
        expect(percentile(values, 1) + 0).toBe(Math.max(...values) + 0);
      }),
    );
  });

  it("grows with its share, and has that share of the samples at or below it", () => {
    fc.assert(
      fc.property(samples, share, share, (values, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        expect(percentile(values, low)).toBeLessThanOrEqual(percentile(values, high));
        const below = values.filter((value) => value <= percentile(values, low)).length;
        // One sample less at most: between two ranks the lower one counts.
        expect(below).toBeGreaterThanOrEqual(Math.floor(low * (values.length - 1)));
      }),
    );
  });

  it("does not depend on the order, and leaves the samples in theirs", () => {
    fc.assert(
      fc.property(samples, share, (values, p) => {
        const before = [...values];
        expect(percentile(values.toReversed(), p)).toBe(percentile(values, p));
        expect(values).toEqual(before);
      }),
    );
  });

  it("of nothing is an error", () => {
    expect(() => percentile([], 0.5)).toThrow(RangeError);
  });
});

describe("a summary", () => {
  it("says the median, what the samples ranged over, and how far half of them are from it", () => {
    expect(summarize([10, 12, 11, 30])).toEqual({
      samples: [10, 12, 11, 30],
      median: 11.5,
      min: 10,
      max: 30,
      rel_mad: expect.closeTo(1 / 11.5, 12),
    });
  });

  it("of one sample has no spread", () => {
    expect(summarize([7])).toEqual({ samples: [7], median: 7, min: 7, max: 7, rel_mad: 0 });
  });

  it("has a deviation that the unit does not change", () => {
    const positive = fc.array(fc.double({ min: 0.001, max: 1e6, noNaN: true }), {
      minLength: 1,
      maxLength: 20,
    });
    fc.assert(
      fc.property(positive, (values) => {
        const scaled = summarize(values.map((value) => value * 8));
        expect(scaled.rel_mad).toBeCloseTo(summarize(values).rel_mad, 9);
      }),
    );
  });
});

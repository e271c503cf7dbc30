import { describe, expect, it } from "vitest";
import { borderOf } from "../../../src/core/runtime/selection.js";
import fc from "../../property.js";

/** Keys of all kinds: spread out, crowded, equal, and a crowd with outliers. */
const keys = fc
  .tuple(fc.constantFrom(1e-12, 1, 1e6), fc.array(fc.integer({ min: -3000, max: 3000 }), { maxLength: 300 }))
  .chain(([unit, steps]) =>
    fc.constantFrom(
      steps.map((step) => step * unit),
      steps.map((step) => Math.trunc(step / 1000) * unit),
      steps.map((step, i) => (i % 50 === 0 ? step * 1e9 : step * unit)),
    ),
  );

/** Which items a border keeps, by its definition. */
function kept(all: number[], target: number, weights?: number[]): number[] {
  const border = borderOf(Float64Array.from(all), all.length, target, weights && Float64Array.from(weights));
  const every = [...all.keys()];
  return every.filter((i) => all[i] < border.key || (all[i] === border.key && i <= border.index));
}

function smallestFirst(all: number[]): number[] {
  return [...all.keys()].sort((a, b) => all[a] - all[b] || a - b);
}

describe("a border", () => {
  it("keeps as many of the smallest as are asked for, of equals the first", () => {
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 320 }), (all, k) => {
        const expected = smallestFirst(all).slice(0, k);
        expect(kept(all, k)).toEqual(expected.sort((a, b) => a - b));
      }),
    );
  });

  it("keeps the fewest of the smallest whose weights reach a sum", () => {
    fc.assert(
      fc.property(
        keys,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 300 }),
        fc.double({ min: 0.001, max: 1, noNaN: true }),
        (all, some, share) => {
          // Whole numbers: their sums are the same in every order.
          const weights = some.slice(0, all.length);
          const target = share * weights.reduce((sum, weight) => sum + weight, 0);
          const expected: number[] = [];
          let reached = 0;
          for (const i of smallestFirst(all)) {
            if (reached >= target && expected.length > 0) break;
            expected.push(i);
            reached += weights[i];
          }
          expect(kept(all, target, weights)).toEqual(expected.sort((a, b) => a - b));
        },
      ),
    );
  });

  it("leaves nothing out where all together don't reach the sum", () => {
    for (const size of [0, 1, 10, 100]) {
      const waves = Array.from({ length: size }, (_, i) => Math.sin(i));
      expect(kept(waves, size + 1).length).toBe(size);
      expect(kept(new Array<number>(size).fill(2), size + 1).length).toBe(size);
    }
  });

  it("is found among keys that lie nearer to each other than a difference tells", () => {
    const all = Array.from({ length: 100 }, (_, i) => (i % 2) * Number.MIN_VALUE);
    expect(kept(all, 60).length).toBe(60);
  });
});

import { describe, expect, it } from "vitest";
import { RunCosts } from "../../../src/core/scheduler/guess-costs.js";
import { Speculator } from "../../../src/core/scheduler/speculator.js";
import fc from "../../property.js";

/** A text that says the same again and again: everything in it can be guessed. */
const repeating = Array.from({ length: 200 }, (_, i) => i % 20);
const fresh = Array.from({ length: 200 }, (_, i) => i);

describe("guessing ahead", () => {
  it("never guesses more than it may, and only what followed before", () => {
    const text = fc.array(fc.nat({ max: 3 }), { maxLength: 80 });
    fc.assert(
      fc.property(
        text,
        fc.nat({ max: 40 }),
        fc.array(fc.nat({ max: 40 }), { maxLength: 20 }),
        (tokens, most, helds) => {
          const speculator = new Speculator(new RunCosts());
          for (const held of helds) {
            const draft = speculator.draft(tokens, most);
            expect(draft.length).toBeLessThanOrEqual(Math.min(most, 32));
            for (const token of draft) expect(tokens).toContain(token);
            speculator.learn(draft.length, Math.min(held, draft.length));
          }
        },
      ),
    );
  });

  it("guesses nothing where the text never repeats itself, and nothing where no room is left", () => {
    const speculator = new Speculator(new RunCosts());
    expect(speculator.draft(fresh, 32)).toEqual([]);
    expect(speculator.draft(repeating, 0)).toEqual([]);
  });

  it("guesses more as guesses hold, and stops where they fail", () => {
    const lucky = new Speculator(new RunCosts());
    const unlucky = new Speculator(new RunCosts());
    const lengths = { lucky: [] as number[], unlucky: [] as number[] };
    for (let i = 0; i < 30; i++) {
      const guesses = lucky.draft(repeating, 32).length;
      lengths.lucky.push(guesses);
      lucky.learn(guesses, guesses);
      lengths.unlucky.push(unlucky.draft(repeating, 32).length);
      unlucky.learn(lengths.unlucky[i], 0);
    }
    expect(lengths.lucky.at(-1)).toBeGreaterThan(lengths.lucky[0]);
    expect(lengths.lucky).toEqual(lengths.lucky.toSorted((a, b) => a - b));
    expect(lengths.unlucky[0]).toBeGreaterThan(0);
    expect(lengths.unlucky.slice(-10)).toEqual(new Array(10).fill(0));
  });

  it("tries again now and then, a little, and comes back when the text has changed", () => {
    const speculator = new Speculator(new RunCosts());
    for (let i = 0; i < 60; i++) speculator.learn(speculator.draft(repeating, 32).length, 0);
    const lengths = Array.from({ length: 200 }, () => {
      const guesses = speculator.draft(repeating, 32).length;
      speculator.learn(guesses, 0);
      return guesses;
    });
    const tries = lengths.filter((length) => length > 0);
    expect(tries.length).toBeGreaterThanOrEqual(3);
    expect(tries.length).toBeLessThanOrEqual(5);
    expect(Math.max(...tries)).toBeLessThanOrEqual(2);
    let longest = 0;
    for (let i = 0; i < 600; i++) {
      const guesses = speculator.draft(repeating, 32).length;
      speculator.learn(guesses, guesses);
      longest = Math.max(longest, guesses);
    }
    expect(longest).toBeGreaterThan(10);
  });

  it("learns apart what short and long matches are worth", () => {
    const speculator = new Speculator(new RunCosts());
    // Two tokens that stood there before, followed by another one each time.
    const short = [1, 2, 3, 1, 2, 4, 1, 2];
    for (let i = 0; i < 30; i++) speculator.learn(speculator.draft(short, 32).length, 0);
    // The index of a text only grows.
    const grown = [...short, ...repeating];
    expect(speculator.draft(grown, 32).length).toBeGreaterThan(3);
  });
});

describe("what a run costs", () => {
  it("is learned from single tokens and from several, and decides how many guesses pay", () => {
    const guesses = (share: number): number => {
      const costs = new RunCosts();
      for (let i = 0; i < 60; i++) {
        costs.ran(1, 10);
        costs.ran(5, 10 * (1 + share * 4));
      }
      expect(costs.of(0)).toBe(1);
      expect(costs.of(4)).toBeCloseTo(1 + 4 * share, 2);
      return new Speculator(costs).draft(repeating, 32).length;
    };
    const counts = [0.05, 0.2, 0.5].map(guesses);
    expect(counts).toEqual(counts.toSorted((a, b) => b - a));
    expect(counts[0]).toBeGreaterThan(counts[2]);
  });

  it("is never more than a run of its own for each token, nor nothing, whatever the clock says", () => {
    const times = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 33 }), fc.double({ min: 0, max: 1e4, noNaN: true })),
    );
    fc.assert(
      fc.property(times, fc.nat({ max: 32 }), (runs, count) => {
        const costs = new RunCosts();
        for (const [width, ms] of runs) costs.ran(width, ms);
        expect(costs.of(count)).toBeGreaterThanOrEqual(1 + 0.019 * count);
        expect(costs.of(count)).toBeLessThanOrEqual(1 + count);
      }),
    );
  });
});

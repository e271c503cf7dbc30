import { describe, expect, it } from "vitest";
import { Candidates, type Filters } from "../../../src/core/runtime/candidates.js";
import fc from "../../property.js";

const open: Filters = { temperature: 1, topK: 0, typicalP: 1, topP: 1, minP: 0 };

/** Rows whose logits tie often, lie close together, or spread beyond what is negligible; some are no candidates. */
const rows = fc
  .tuple(
    fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 300 }),
    fc.constantFrom(0.001, 0.02, 0.25),
    fc.array(fc.tuple(fc.nat(299), fc.constantFrom(Number.NaN, -Infinity)), { maxLength: 20 }),
  )
  .map(([steps, unit, holes]) => {
    const logits = Float32Array.from(steps, (step) => step * unit);
    for (const [i, value] of holes) if (i < logits.length) logits[i] = value;
    return logits;
  })
  .filter((logits) => logits.some((logit) => logit > -Infinity));

const share = fc.double({ min: 0.01, max: 1, noNaN: true });
const filters: fc.Arbitrary<Filters> = fc.record({
  temperature: fc.constantFrom(0.05, 0.7, 1, 3),
  topK: fc.constantFrom(0, 0, 1, 2, 7, 40, 1000),
  typicalP: fc.oneof(fc.constant(1), share),
  topP: fc.oneof(fc.constant(1), share),
  minP: fc.oneof(fc.constant(0), share),
});

describe("candidates", () => {
  it("are drawn with exactly the probabilities of a slow reading of the filters, in the order of their ids", () => {
    const candidates = new Candidates();
    let compared = 0;
    fc.assert(
      fc.property(rows, filters, (logits, filter) => {
        const expected = distribution(logits, filter);
        if (expected === undefined) return;
        for (let chance = 0.013; chance < 1; chance += 0.0917) {
          const token = tokenAt(expected, chance);
          if (token === undefined) continue;
          expect(candidates.draw(logits, filter, chance)).toBe(token);
          compared += 1;
        }
      }),
      { numRuns: 400 },
    );
    expect(compared).toBeGreaterThan(2000);
  });

  it("are the same in a vocabulary of many blocks, flat or steep", () => {
    const candidates = new Candidates();
    for (const spread of [0.01, 0.4, 1, 3]) {
      const logits = Float32Array.from(
        { length: 5003 },
        (_, i) => Math.sin(i * i) - Math.log1p((i * 2713) % 5003) * spread,
      );
      for (const filter of [
        {},
        { topK: 50 },
        { topK: 3000, topP: 0.7 },
        { topP: 0.3 },
        { topP: 0.99 },
        { typicalP: 0.2 },
        { typicalP: 0.95, topP: 0.9, minP: 0.01 },
        { minP: 0.05 },
        { minP: 0.001, topP: 0.8, temperature: 2 },
      ]) {
        const expected = distribution(logits, { ...open, ...filter });
        for (let chance = 0.02; chance < 1; chance += 0.07) {
          const token = expected && tokenAt(expected, chance);
          if (token !== undefined)
            expect(candidates.draw(logits, { ...open, ...filter }, chance)).toBe(token);
        }
      }
    }
  });

  it("are what is left when nothing else is", () => {
    const candidates = new Candidates();
    const only = new Float32Array(1000).fill(-Infinity);
    only[777] = -3e38;
    const none = new Float32Array(1000).fill(-Infinity);
    none[5] = Number.NaN;
    const overflown = new Float32Array(1000);
    overflown[70] = Infinity;
    for (const filter of [{}, { topK: 5 }, { topP: 0.5 }, { typicalP: 0.5 }, { minP: 0.5 }]) {
      for (const temperature of [Number.MIN_VALUE, 1e-30, 1, 1e300]) {
        for (const chance of [0, 0.5, 1 - 2 ** -53]) {
          const all = { ...open, ...filter, temperature };
          expect(candidates.draw(only, all, chance)).toBe(777);
          expect(candidates.draw(overflown, all, chance)).toBe(70);
          expect(candidates.draw(none, all, chance)).toBe(-1);
        }
      }
    }
  });

  it("are never ones of no probability, at either end of chance", () => {
    const candidates = new Candidates();
    const logits = new Float32Array(300).fill(-Infinity);
    for (const token of [64, 65, 200]) logits[token] = 1;
    for (const filter of [{}, { topK: 2 }, { topP: 0.999 }, { typicalP: 0.999 }, { minP: 0.1 }]) {
      const ends = [0, 1 - 2 ** -53].map((chance) => candidates.draw(logits, { ...open, ...filter }, chance));
      expect(ends).toEqual(filter.topK ? [64, 65] : [64, 200]);
    }
  });
});

type Distribution = Map<number, number>;

/** Probability of each token that is left, filter by filter; undefined where rounding would decide at a border. */
function distribution(
  logits: Float32Array,
  { temperature, topK, typicalP, topP, minP }: Filters,
): Distribution | undefined {
  let tokens = [...logits.keys()].filter((token) => logits[token] > -Infinity);
  const best = Math.max(...tokens.map((token) => logits[token]));
  let left: Distribution = normalized(
    new Map(tokens.map((token) => [token, Math.exp((logits[token] - best) / temperature)])),
  );
  const byProbability = (a: number, b: number) => logits[b] - logits[a] || a - b;
  if (topK > 0) {
    tokens = [...left.keys()].sort(byProbability).slice(0, topK);
    left = normalized(new Map(tokens.map((token) => [token, left.get(token)!])));
  }
  if (typicalP < 1) {
    const surprise = (token: number) => Math.log(total) - (logits[token] - best) / temperature;
    const total = sum([...left.keys()].map((token) => Math.exp((logits[token] - best) / temperature)));
    const entropy = sum([...left].map(([token, p]) => (p > 0 ? p * surprise(token) : 0)));
    const distance = (token: number) => Math.abs(surprise(token) - entropy);
    const order = [...left.keys()].sort(
      (a, b) => (logits[a] === logits[b] ? 0 : distance(a) - distance(b)) || a - b,
    );
    const close = (a: number, b: number) =>
      logits[a] !== logits[b] && Math.abs(distance(a) - distance(b)) < 1e-6;
    const reaching = massOf(order, left, typicalP, close);
    if (reaching === undefined) return undefined;
    left = reaching;
  }
  if (topP < 1) {
    const reaching = massOf([...left.keys()].sort(byProbability), left, topP, () => false);
    if (reaching === undefined) return undefined;
    left = reaching;
  }
  if (minP > 0) {
    const least = minP * Math.max(...left.values());
    if ([...left.values()].some((p) => Math.abs(p / least - 1) < 1e-6 && minP !== 1)) return undefined;
    left = normalized(new Map([...left].filter(([, p]) => p >= least * (1 - 1e-12))));
  }
  return left;
}

/** The first tokens of an order that have a share of the mass together. */
function massOf(
  order: number[],
  from: Distribution,
  mass: number,
  close: (a: number, b: number) => boolean,
): Distribution | undefined {
  let reached = 0;
  const kept: number[] = [];
  while (kept.length < order.length && reached < mass) {
    const token = order[kept.length];
    reached += from.get(token)!;
    kept.push(token);
    if (Math.abs(reached - mass) < 1e-6) return undefined;
  }
  const next = order[kept.length];
  if (next !== undefined && close(kept[kept.length - 1], next)) return undefined;
  return normalized(new Map(kept.map((token) => [token, from.get(token)!])));
}

/** The token that a chance falls on; undefined where it falls on a border. */
function tokenAt(probabilities: Distribution, chance: number): number | undefined {
  let reached = 0;
  for (const [token, p] of [...probabilities].sort(([a], [b]) => a - b)) {
    if (Math.abs(reached + p - chance) < 1e-9) return undefined;
    reached += p;
    if (reached > chance) return token;
  }
  return undefined;
}

function normalized(weights: Distribution): Distribution {
  const total = sum([...weights.values()]);
  return new Map([...weights].map(([token, weight]) => [token, weight / total]));
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

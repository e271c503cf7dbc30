import { describe, expect, it } from "vitest";
import type { SamplingParams } from "../../../src/core/requests.js";
import { argmax, parseSampling, Sampler } from "../../../src/core/runtime/sampler.js";
import fc from "../../property.js";

/** Logits that no two tokens share, close enough together that each is drawn now and then. */
const distinctLogits = fc
  .uniqueArray(fc.integer({ min: 0, max: 40 }), { minLength: 2, maxLength: 9 })
  .map((steps) => Float32Array.from(steps, (step) => step / 20));

/** Which tokens come up in many draws. */
function drawn(logits: Float32Array, params: SamplingParams, draws = 1500): number[] {
  const sampler = new Sampler({ seed: 1, ...params });
  const tokens = new Set<number>();
  for (let i = 0; i < draws; i++) tokens.add(sampler.sample(logits.slice()).token);
  return [...tokens].sort((a, b) => a - b);
}

function softmax(logits: Float32Array, temperature = 1): number[] {
  const best = Math.max(...logits);
  const weights = [...logits].map((logit) => Math.exp((logit - best) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

/** The tokens that temperature, top-k, top-p and min-p leave, one filter after the other and each written out. */
function kept(
  logits: Float32Array,
  { temperature = 1, topK = 0, topP = 1, minP = 0 }: SamplingParams,
): number[] {
  const probability = softmax(logits, temperature);
  let tokens = [...probability.keys()].sort((a, b) => probability[b] - probability[a] || a - b);
  if (topK > 0) tokens = tokens.slice(0, topK);
  if (topP < 1) {
    const mass = tokens.reduce((sum, token) => sum + probability[token], 0);
    let reached = 0;
    tokens = tokens.filter((token) => {
      const before = reached;
      reached += probability[token] / mass;
      return before < topP;
    });
  }
  return tokens.filter((token) => probability[token] >= minP * probability[tokens[0]]).sort((a, b) => a - b);
}

/** True where no cumulative probability stands so near to a bound that rounding decides. */
function clear(logits: Float32Array, params: SamplingParams): boolean {
  const shift = 1e-6;
  const { topP = 1, minP = 0 } = params;
  const sets = [-shift, 0, shift].map((d) =>
    kept(logits, {
      ...params,
      ...(topP < 1 && { topP: topP + d }),
      ...(minP > 0 && { minP: minP + d }),
    }).join(),
  );
  return new Set(sets).size === 1;
}

describe("a sampler without temperature", () => {
  it("takes the likeliest token, and of equals the first", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -50, max: 50 }), { minLength: 1, maxLength: 60 }),
        (values) => {
          const logits = Float32Array.from(values);
          const best = logits.indexOf(Math.max(...logits));
          expect(argmax(logits)).toBe(best);
          expect(new Sampler({ temperature: 0, topP: 0.5, topK: 3 }).sample(logits).token).toBe(best);
          expect(new Sampler({}).sample(logits).token).toBe(best);
        },
      ),
    );
  });
});

describe("a sampler with temperature", () => {
  it.each<[string, fc.Arbitrary<SamplingParams>]>([
    ["top-k", fc.record({ topK: fc.integer({ min: 1, max: 10 }) })],
    ["top-p", fc.record({ topP: fc.double({ min: 0.01, max: 0.999, noNaN: true }) })],
    ["min-p", fc.record({ minP: fc.double({ min: 0.01, max: 1, noNaN: true }) })],
    [
      "all of them",
      fc.record({
        topK: fc.integer({ min: 0, max: 9 }),
        topP: fc.double({ min: 0.1, max: 1, noNaN: true }),
        minP: fc.double({ min: 0, max: 0.9, noNaN: true }),
      }),
    ],
  ])("draws from exactly the tokens that %s leaves", (_name, filters) => {
    fc.assert(
      fc.property(distinctLogits, filters, fc.constantFrom(0.7, 1, 2), (logits, filter, temperature) => {
        const params = { ...filter, temperature };
        fc.pre(clear(logits, params));
        expect(drawn(logits, params)).toEqual(kept(logits, params));
      }),
      { numRuns: 100 },
    );
  });

  it("leaves the same tokens in a vocabulary of thousands, whatever the spread of its logits", () => {
    // Token i is (i + 1)^-spread as likely as the first: flat, with a fat tail, with hardly one.
    for (const spread of [0.1, 1, 3]) {
      const logits = Float32Array.from({ length: 4000 }, (_, i) => -Math.log1p(i) * spread);
      for (const filter of [
        { topP: 0.5 },
        { topP: 0.8 },
        { topK: 5 },
        { topK: 40, topP: 0.6 },
        { minP: 0.2 },
      ]) {
        const params = { temperature: 1, ...filter };
        const expected = kept(logits, params);
        const tokens = drawn(logits, params, expected.length <= 6 ? 1500 : 100);
        expect(tokens.every((token) => token < expected.length)).toBe(true);
        if (expected.length <= 6) expect(tokens).toEqual(expected);
      }
    }
  });

  it("lets top-p ask for a share of all tokens before min-p takes some away", () => {
    const logits = Float32Array.from([0.4, 0.3, 0.2, 0.1], Math.log);
    expect(drawn(logits, { temperature: 1, topP: 0.72, minP: 0.4 })).toEqual([0, 1, 2]);
    expect(drawn(logits, { temperature: 1, topP: 0.95, minP: 0.6 })).toEqual([0, 1]);
  });

  it("keeps the lower id of two tokens that tie at the border", () => {
    const logits = Float32Array.from([1, 0, 2, 0]);
    expect(drawn(logits, { temperature: 1, topK: 3 })).toEqual([0, 1, 2]);
  });

  it("draws as often as the probabilities say", () => {
    const logits = Float32Array.from([2, 1, 0, 1.5, -1]);
    for (const temperature of [0.5, 1, 1.7]) {
      const sampler = new Sampler({ temperature, seed: 7 });
      const counts = new Array<number>(logits.length).fill(0);
      const draws = 20_000;
      for (let i = 0; i < draws; i++) counts[sampler.sample(logits.slice()).token]++;
      const probability = softmax(logits, temperature);
      const chiSquare = counts.reduce(
        (sum, count, i) => sum + (count - draws * probability[i]) ** 2 / (draws * probability[i]),
        0,
      );
      // 4 degrees of freedom: 18.5 is passed once in a thousand, and the seed is fixed.
      expect(chiSquare).toBeLessThan(18.5);
    }
  });

  it("draws the same tokens from the same seed, others from another, and new ones without", () => {
    const logits = Float32Array.from({ length: 50 }, (_, i) => Math.sin(i));
    const draw = (seed?: number) => {
      const sampler = new Sampler({ temperature: 1, seed });
      return Array.from({ length: 30 }, () => sampler.sample(logits.slice()).token);
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(0)).toEqual(draw(0));
    // Both halves of a large seed count.
    expect(new Set([draw(5), draw(6), draw(5 + 2 ** 32), draw(), draw()].map(String)).size).toBe(5);
    expect(draw(Number.MAX_SAFE_INTEGER)).toEqual(draw(Number.MAX_SAFE_INTEGER));
  });

  it("gives the likeliest token when the temperature is nearly 0", () => {
    expect(drawn(Float32Array.from([3, 3.01, -5]), { temperature: 1e-30 }, 50)).toEqual([1]);
    expect(drawn(Float32Array.from([3, 3.01, -5]), { temperature: 1e-30, topK: 2, topP: 0.9 }, 50)).toEqual([
      1,
    ]);
  });
});

describe("penalties and bias", () => {
  const token = fc.integer({ min: 0, max: 7 });

  it("change the logits as a naive reading of their definition does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, min: -8, max: 8 }), { minLength: 8, maxLength: 8 }),
        fc.array(token, { maxLength: 6 }),
        fc.record({
          repetitionPenalty: fc.double({ min: 0.5, max: 2, noNaN: true }),
          frequencyPenalty: fc.double({ min: -2, max: 2, noNaN: true }),
          presencePenalty: fc.double({ min: -2, max: 2, noNaN: true }),
          logitBias: fc.dictionary(token.map(String), fc.double({ min: -5, max: 5, noNaN: true }), {
            maxKeys: 3,
          }),
        }),
        (values, prompt, params) => {
          const sampler = new Sampler(params, { prompt });
          const output: number[] = [];
          for (let step = 0; step < 5; step++) {
            const logits = Float32Array.from(values);
            output.push(sampler.sample(logits).token);
            const expected = penalized(values, prompt, output.slice(0, -1), params);
            for (const [i, logit] of expected.entries()) expect(logits[i]).toBeCloseTo(logit, 4);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  function penalized(values: number[], prompt: number[], output: number[], params: SamplingParams): number[] {
    const { repetitionPenalty = 1, frequencyPenalty = 0, presencePenalty = 0, logitBias = {} } = params;
    return values.map((value, id) => {
      const seen = prompt.includes(id) || output.includes(id);
      const count = output.filter((one) => one === id).length;
      let logit = value;
      if (seen) logit = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      return logit - frequencyPenalty * count - presencePenalty * Math.min(count, 1) + (logitBias[id] ?? 0);
    });
  }

  it("ban a token, force one, and leave alone what the vocabulary does not have", () => {
    const logits = Float32Array.from([5, 4, 3]);
    expect(new Sampler({ logitBias: { 0: -100 } }).sample(logits.slice()).token).toBe(1);
    expect(new Sampler({ logitBias: { 2: 100 } }).sample(logits.slice()).token).toBe(2);
    expect(new Sampler({ logitBias: { 99: 100 } }).sample(logits.slice()).token).toBe(0);
    expect(new Sampler({ repetitionPenalty: 2 }, { prompt: [0, 1000] }).sample(logits.slice()).token).toBe(1);
  });
});

describe("a parameter out of its range", () => {
  it.each<[keyof SamplingParams, number[]]>([
    ["temperature", [-0.1, Number.NaN, Number.POSITIVE_INFINITY]],
    ["topK", [-1, 1.5, Number.NaN]],
    ["topP", [0, -0.5, 1.01, Number.NaN]],
    ["minP", [-0.01, 1.1, Number.NaN]],
    ["typicalP", [0, -0.5, 1.01, Number.NaN]],
    ["minTokens", [-1, 0.5, 2 ** 53, Number.NaN]],
    ["logprobs", [-1, 0.5, 21, Number.NaN]],
    ["repetitionPenalty", [0, -1, Number.NaN, Number.POSITIVE_INFINITY]],
    ["frequencyPenalty", [-2.1, 2.1, Number.NaN]],
    ["presencePenalty", [-2.1, 2.1, Number.NaN]],
    ["seed", [-1, 0.5, 2 ** 53, Number.NaN]],
  ])("%s is refused by its name with its value", (name, values) => {
    for (const value of values) {
      const refused = expect.objectContaining({
        code: "invalid_request",
        param: name,
        message: expect.stringContaining(`${name} is ${value}`),
      });
      expect(() => parseSampling({ [name]: value })).toThrow(refused);
      expect(() => new Sampler({ [name]: value })).toThrow(refused);
    }
  });

  it("ignoreEos is refused when it is not yes or no", () => {
    const refused = expect.objectContaining({ code: "invalid_request", param: "ignoreEos" });
    expect(() => parseSampling({ ignoreEos: 1 } as never)).toThrow(refused);
    expect(() => parseSampling({ ignoreEos: "true" } as never)).toThrow(refused);
    parseSampling({ ignoreEos: false });
  });

  it("logitBias is refused when it maps no token ids to numbers", () => {
    const refused = expect.objectContaining({ code: "invalid_request", param: "logitBias" });
    expect(() => new Sampler({ logitBias: { a: 1 } as never })).toThrow(refused);
    expect(() => new Sampler({ logitBias: { 3: Number.NaN } })).toThrow(refused);
    expect(() => new Sampler({ logitBias: { "-1": 1 } as never })).toThrow(refused);
  });

  it("does not arise at the ends of the ranges", () => {
    parseSampling({ temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 0.01, seed: 0 });
    parseSampling({
      temperature: 100,
      minP: 1,
      typicalP: 1,
      minTokens: 0,
      logprobs: 20,
      frequencyPenalty: -2,
      presencePenalty: 2,
      logitBias: { 0: -100 },
    });
  });
});

describe("logits that are not numbers", () => {
  it("never win", () => {
    const logits = Float32Array.from([Number.NaN, 1, 2, Number.NaN]);
    expect(argmax(logits)).toBe(2);
    expect(drawn(logits, { temperature: 1 }, 200)).toEqual([1, 2]);
    expect(drawn(logits, { temperature: 1, topP: 0.99, topK: 4 }, 200)).toEqual([1, 2]);
  });

  it("are an error of the model when there are no others", () => {
    const failed = expect.objectContaining({
      code: "runtime_error",
      message: expect.stringContaining("NaN"),
    });
    expect(() => new Sampler({}).sample(new Float32Array(4).fill(Number.NaN))).toThrow(failed);
    expect(() => new Sampler({ temperature: 1 }).sample(new Float32Array(4).fill(Number.NaN))).toThrow(
      failed,
    );
  });
});

import { describe, expect, it } from "vitest";
import type { SamplingParams } from "../../../src/core/requests.js";
import { Sampler } from "../../../src/core/runtime/sampler.js";
import fc from "../../property.js";

/** Settings that choose tokens in every way there is. */
const ways: [string, SamplingParams][] = [
  ["greedy", {}],
  ["temperature", { temperature: 1 }],
  ["top-k", { temperature: 1, topK: 3 }],
  ["top-p", { temperature: 1, topP: 0.9 }],
  ["typical-p", { temperature: 1, typicalP: 0.9 }],
  ["min-p", { temperature: 1, minP: 0.1 }],
  ["all", { temperature: 0.8, topK: 50, typicalP: 0.95, topP: 0.9, minP: 0.01, repetitionPenalty: 1.2 }],
];

function maskOf(size: number, allowed: Iterable<number>): Int32Array {
  const mask = new Int32Array(Math.ceil(size / 32));
  for (const token of allowed) mask[token >> 5] |= 1 << (token & 31);
  return mask;
}

function wave(size: number, shift = 0): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => 3 * Math.sin((i + shift) * (i + shift)));
}

describe.each(ways)("a mask, with %s", (_name, params) => {
  it("lets only its tokens through, whatever the logits are", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            { weight: 6, arbitrary: fc.float({ min: -20, max: 20, noNaN: true }) },
            fc.constantFrom(Number.NaN, -Infinity, Infinity),
          ),
          { minLength: 1, maxLength: 150 },
        ),
        fc.uniqueArray(fc.nat(149), { minLength: 1, maxLength: 100 }),
        fc.nat(),
        (values, some, seed) => {
          const allowed = some.filter((token) => values[token] > -Infinity);
          fc.pre(allowed.length > 0);
          const sampler = new Sampler({ ...params, seed });
          for (let step = 0; step < 4; step++) {
            const mask = maskOf(150, some);
            const { token } = sampler.sample(Float32Array.from(values), mask);
            expect(allowed).toContain(token);
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it("that allows everything, also behind the vocabulary's end, changes nothing", () => {
    for (const size of [1, 31, 32, 33, 1000]) {
      const [masked, free] = [new Sampler({ ...params, seed: 3 }), new Sampler({ ...params, seed: 3 })];
      for (let step = 0; step < 5; step++) {
        const mask = new Int32Array(40).fill(-1);
        expect(masked.sample(wave(size, step), mask)).toEqual(free.sample(wave(size, step)));
      }
    }
  });

  it("keeps the random numbers in step: a token that is forced takes one as well", () => {
    const [forced, free] = [new Sampler({ ...params, seed: 9 }), new Sampler({ ...params, seed: 9 })];
    const least = wave(200).indexOf(Math.min(...wave(200)));
    expect(forced.sample(wave(200), maskOf(200, [least]))).toEqual({ token: least });
    free.sample(wave(200), maskOf(200, [least, least]));
    for (let step = 1; step < 20; step++)
      expect(forced.sample(wave(200, step))).toEqual(free.sample(wave(200, step)));
  });

  it("that allows nothing is an error, also when it only allows what the vocabulary has not", () => {
    const none = expect.objectContaining({ code: "runtime_error", message: expect.stringContaining("mask") });
    expect(() => new Sampler(params).sample(wave(40), new Int32Array(2))).toThrow(none);
    expect(() => new Sampler(params).sample(wave(40), new Int32Array(0))).toThrow(none);
    expect(() => new Sampler(params).sample(wave(40), maskOf(64, [40, 63]))).toThrow(none);
  });

  it("forbids the tokens behind its end", () => {
    const logits = wave(100);
    logits[99] = 50;
    logits[31] = 49;
    for (let seed = 0; seed < 5; seed++)
      expect(new Sampler({ ...params, seed }).sample(logits.slice(), maskOf(32, [31]))).toEqual({
        token: 31,
      });
  });

  it("that allows only tokens without a probability is an error, not another token", () => {
    const logits = Float32Array.of(1, Number.NaN, -Infinity, 2);
    for (const allowed of [[1], [2], [1, 2]]) {
      expect(() => new Sampler(params).sample(logits.slice(), maskOf(4, allowed))).toThrow(
        expect.objectContaining({ code: "runtime_error", message: expect.stringContaining("NaN") }),
      );
    }
  });
});

describe("tokens that end the answer", () => {
  const likely = Float32Array.of(1, 0, 9, 8, 0.5);
  const stopTokens = [2, 3, 1000];

  it.each(ways)("wait until the least number of tokens came, with %s", (_name, params) => {
    const sampler = new Sampler({ ...params, minTokens: 3, seed: 1 }, { stopTokens });
    for (let step = 0; step < 3; step++) expect([0, 1, 4]).toContain(sampler.sample(likely.slice()).token);
    expect([2, 3]).toContain(sampler.sample(likely.slice()).token);
  });

  it("need not wait without a least number, nor when they don't end anything", () => {
    expect(new Sampler({}, { stopTokens }).sample(likely.slice()).token).toBe(2);
    const endless = new Sampler({ minTokens: 3, ignoreEos: true }, { stopTokens });
    expect(endless.sample(likely.slice()).token).toBe(2);
  });

  it("come early when a grammar allows nothing else, with their own logits", () => {
    const sampler = new Sampler({ minTokens: 3 }, { stopTokens });
    expect(sampler.sample(likely.slice(), maskOf(5, [2, 3])).token).toBe(2);
    expect(sampler.sample(likely.slice(), maskOf(5, [3])).token).toBe(3);
    expect(sampler.sample(likely.slice(), maskOf(5, [1, 3])).token).toBe(1);
    expect(sampler.sample(likely.slice()).token).toBe(2);
  });

  it("wait even when the bias asks for them", () => {
    const sampler = new Sampler({ minTokens: 1, logitBias: { 2: 100 } }, { stopTokens });
    expect(sampler.sample(likely.slice()).token).toBe(0);
    expect(sampler.sample(likely.slice()).token).toBe(2);
  });
});

describe("a bias and penalties", () => {
  it("of ±100 forbid and force with every way of choosing", () => {
    for (const [, params] of ways) {
      for (let seed = 0; seed < 20; seed++) {
        const forced = new Sampler({ ...params, seed, logitBias: { 5: 100 } });
        expect(forced.sample(wave(300)).token).toBe(5);
        const allBut = Object.fromEntries(
          Array.from({ length: 300 }, (_, i) => [i, -100]).filter(([i]) => i !== 7),
        );
        expect(new Sampler({ ...params, seed, logitBias: allBut }).sample(wave(300)).token).toBe(7);
      }
    }
  });

  it("don't open what a mask forbids", () => {
    const sampler = new Sampler({ logitBias: { 0: 100 } });
    expect(sampler.sample(Float32Array.of(0, 1, 2), maskOf(3, [0, 1])).token).toBe(0);
    expect(sampler.sample(Float32Array.of(0, 1, 2), maskOf(3, [1])).token).toBe(1);
  });

  it("count the output alone for frequency and presence, and the prompt too for repetition", () => {
    const logits = Float32Array.of(2, 1.5, 0);
    const prompt = [0, 0, 0];
    for (const params of [{ frequencyPenalty: 1 }, { presencePenalty: 1 }]) {
      const sampler = new Sampler(params, { prompt });
      expect([0, 1, 2].map(() => sampler.sample(logits.slice()).token)).toEqual([0, 1, 0]);
    }
    expect(new Sampler({ repetitionPenalty: 2 }, { prompt }).sample(logits.slice()).token).toBe(1);
  });
});

describe("a seed", () => {
  it.each(ways)("gives the same text alone and among others, with %s", (_name, params) => {
    const row = (request: number, step: number) => wave(400, request * 31 + step);
    const text = (request: number) => {
      const sampler = new Sampler({ ...params, seed: request });
      return Array.from({ length: 15 }, (_, step) => sampler.sample(row(request, step)).token);
    };
    const alone = [0, 1, 2, 3].map(text);
    const samplers = alone.map((_, request) => new Sampler({ ...params, seed: request }));
    const together = alone.map((): number[] => []);
    for (let step = 0; step < 15; step++) {
      for (const [request, sampler] of samplers.entries())
        together[request].push(sampler.sample(row(request, step)).token);
    }
    expect(together).toEqual(alone);
  });
});

describe("a sampler", () => {
  it("is greedy when it does what argmax does and nothing else", () => {
    for (const params of [
      {},
      { temperature: 0 },
      { topP: 0.5, minP: 0.1, seed: 3 },
      { temperature: 1, topK: 1 },
    ])
      expect(new Sampler(params).greedy).toBe(true);
    expect(new Sampler({ minTokens: 5 }).greedy).toBe(true);
    expect(new Sampler({ minTokens: 5, ignoreEos: true }, { stopTokens: [1] }).greedy).toBe(true);
    for (const params of [
      { temperature: 0.1 },
      { repetitionPenalty: 1.1 },
      { frequencyPenalty: 0.1 },
      { presencePenalty: -0.1 },
      { logitBias: { 1: 1 } },
      { logprobs: 0 },
    ]) {
      expect(new Sampler(params).greedy).toBe(false);
    }
    expect(new Sampler({ minTokens: 5 }, { stopTokens: [1] }).greedy).toBe(false);
  });

  it("keeps all with a k beyond the vocabulary, and one with the smallest shares", () => {
    const logits = Float32Array.from([0.5, 0.25, 0.125, 0.0625, 0.0625], Math.log);
    const drawn = (params: SamplingParams) => {
      const sampler = new Sampler({ temperature: 1, seed: 2, ...params });
      return [...new Set(Array.from({ length: 400 }, () => sampler.sample(logits.slice()).token))].sort();
    };
    expect(drawn({ topK: 1000 })).toEqual([0, 1, 2, 3, 4]);
    expect(drawn({ topP: 1e-9 })).toEqual([0]);
    expect(drawn({ minP: 1 })).toEqual([0]);
    // The expected surprise is 1.875 bits; the tokens' own are 1, 2, 3, 4 and 4.
    expect(drawn({ typicalP: 1e-9 })).toEqual([1]);
    expect(drawn({ typicalP: 0.3 })).toEqual([0, 1]);
    expect(drawn({ typicalP: 0.8 })).toEqual([0, 1, 2]);
    expect(drawn({ typicalP: 1 })).toEqual([0, 1, 2, 3, 4]);
    // Top-k comes before typical-p, top-p and min-p behind it: the best token is gone, and the next is the measure.
    expect(drawn({ topK: 2, typicalP: 1e-9 })).toEqual([0]);
    expect(drawn({ typicalP: 0.2, minP: 0.9 })).toEqual([1]);
  });
});

import { describe, expect, it } from "vitest";
import { logprobsOf, Sampler } from "../../../src/core/runtime/sampler.js";
import fc from "../../property.js";

const rows = fc
  .array(fc.float({ noNaN: true, min: -60, max: 60 }), { minLength: 1, maxLength: 200 })
  .map((values) => Float32Array.from(values));

/** By the definition, in float64. */
function logSoftmax(logits: Float32Array): number[] {
  const best = Math.max(...logits);
  const total = [...logits].reduce((sum, logit) => sum + Math.exp(logit - best), 0);
  return [...logits].map((logit) => logit - best - Math.log(total));
}

describe("log probabilities", () => {
  it("are the logarithm of the softmax, with the likeliest tokens best first and of equals the lower id", () => {
    fc.assert(
      fc.property(rows, fc.nat(199), fc.nat(20), (logits, any, top) => {
        const token = any % logits.length;
        const expected = logSoftmax(logits);
        const found = logprobsOf(logits, token, top);
        expect(found.token).toBe(token);
        expect(found.logprob).toBeCloseTo(expected[token], 10);
        const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b).slice(0, top);
        expect(found.top.map((one) => one.token)).toEqual(order);
        for (const one of found.top) expect(one.logprob).toBeCloseTo(expected[one.token], 10);
      }),
    );
  });

  it("come to a whole when they are of all tokens", () => {
    const logits = Float32Array.from({ length: 20 }, (_, i) => Math.sin(i) * 9);
    const sum = logprobsOf(logits, 0, 20).top.reduce((total, { logprob }) => total + Math.exp(logprob), 0);
    expect(sum).toBeCloseTo(1, 12);
  });

  it("stay numbers where logits are huge, tiny, infinite or not numbers", () => {
    expect(logprobsOf(Float32Array.of(3e38, -3e38), 0, 2).top).toEqual([
      { token: 0, logprob: 0 },
      { token: 1, logprob: expect.closeTo(-6e38, -35) },
    ]);
    expect(logprobsOf(new Float32Array(150_000).fill(-1e30), 7, 0).logprob).toBeCloseTo(
      -Math.log(150_000),
      9,
    );
    const holed = Float32Array.of(Number.NaN, 1, -Infinity, 1);
    expect(logprobsOf(holed, 1, 20)).toEqual({
      token: 1,
      logprob: -Math.LN2,
      top: [
        { token: 1, logprob: -Math.LN2 },
        { token: 3, logprob: -Math.LN2 },
      ],
    });
    expect(logprobsOf(holed, 0, 0).logprob).toBe(-Infinity);
    expect(logprobsOf(holed, 2, 0).logprob).toBe(-Infinity);
    const overflown = logprobsOf(Float32Array.of(1, Infinity), 1, 2);
    expect(overflown.logprob).toBeCloseTo(0);
    const many = new Float32Array(5000);
    many.fill(-Infinity, 100, 4000);
    many[4321] = Infinity;
    expect(logprobsOf(many, 4321, 2).top.map(({ token }) => token)).toEqual([4321, 0]);
    expect(overflown.top.map(({ logprob }) => logprob)).toEqual([expect.closeTo(0), -Infinity]);
  });

  it("don't change the logits, and are refused of a token that is not there", () => {
    const logits = Float32Array.of(1, 2, 3);
    logprobsOf(logits, 0, 3);
    expect(logits).toEqual(Float32Array.of(1, 2, 3));
    for (const token of [-1, 3, 0.5, Number.NaN])
      expect(() => logprobsOf(logits, token, 0)).toThrow(expect.objectContaining({ code: "runtime_error" }));
    expect(() => logprobsOf(new Float32Array(3).fill(Number.NaN), 0, 0)).toThrow("NaN");
  });
});

describe("a sampler that reports log probabilities", () => {
  it("takes them from the model's own distribution: before penalties, bias, mask and temperature", () => {
    const logits = Float32Array.of(3, 2, 1, 0, -1);
    const expected = logSoftmax(logits);
    const sampler = new Sampler(
      {
        temperature: 0.3,
        topK: 2,
        logprobs: 2,
        logitBias: { 1: -100, 2: 50 },
        repetitionPenalty: 1.5,
        minTokens: 3,
        seed: 1,
      },
      { prompt: [0, 3], stopTokens: [4] },
    );
    for (let step = 0; step < 3; step++) {
      const { token, logprob } = sampler.sample(logits.slice(), Int32Array.of(0b01110));
      expect(token).toBe(2);
      expect(logprob).toEqual({
        token: 2,
        logprob: expect.closeTo(expected[2], 10),
        top: [0, 1].map((id) => ({ token: id, logprob: expect.closeTo(expected[id], 10) })),
      });
    }
  });

  it("says only the chosen token's when none beside it is asked for, and nothing when not asked", () => {
    const logits = Float32Array.of(0, 1);
    expect(new Sampler({ logprobs: 0 }).sample(logits.slice()).logprob).toEqual({
      token: 1,
      logprob: expect.closeTo(-Math.log1p(Math.exp(-1)), 12),
      top: [],
    });
    expect(new Sampler({}).sample(logits.slice())).toEqual({ token: 1 });
  });

  it("draws the same tokens as one that does not", () => {
    const logits = Float32Array.from({ length: 500 }, (_, i) => Math.sin(i * i));
    const tokens = (logprobs?: number) => {
      const sampler = new Sampler({ temperature: 1, topP: 0.9, frequencyPenalty: 0.5, seed: 4, logprobs });
      return Array.from({ length: 40 }, () => sampler.sample(logits.slice()).token);
    };
    expect(tokens(20)).toEqual(tokens());
  });
});

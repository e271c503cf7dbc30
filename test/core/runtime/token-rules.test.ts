import { describe, expect, it } from "vitest";
import { type TokenRuleOptions, tokenRules } from "../../../src/core/runtime/token-rules.js";
import fc from "../../property.js";

const VOCABULARY = 8;

/** The tokens that may follow. */
function allowed(options: Partial<TokenRuleOptions>, tokens: readonly number[]): number[] {
  const scores = new Float32Array(VOCABULARY).fill(-1);
  tokenRules({ maxLength: 100, stopTokens: [1], ...options })(scores, tokens);
  return [...scores.keys()].filter((token) => scores[token] > -Infinity);
}

const without = (...tokens: number[]) => [...Array(VOCABULARY).keys()].filter((id) => !tokens.includes(id));
const words = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 24 });

describe("what may follow", () => {
  it("is everything where no rule says otherwise", () => {
    expect(allowed({}, [0, 2, 2, 2])).toEqual(without());
  });

  it("never lets a sequence of n tokens come twice", () => {
    fc.assert(
      fc.property(words, fc.integer({ min: 1, max: 4 }), (tokens, size) => {
        const seen = new Set(tokens.map((_, i) => tokens.slice(i, i + size).join()));
        const complete = tokens.length >= size;
        for (let token = 0; token < 4; token++) {
          const end = [...tokens, token].slice(-size).join();
          const repeats = complete && seen.has(end);
          expect(allowed({ noRepeatNgramSize: size }, tokens).includes(token)).toBe(!repeats);
        }
      }),
    );
  });

  it("copies no sequence of n tokens out of the source text", () => {
    const options = { encoderNoRepeatNgramSize: 2, source: [4, 5, 4, 6] };
    expect(allowed(options, [0, 4])).toEqual(without(5, 6));
    expect(allowed(options, [0, 3])).toEqual(without());
  });

  it("completes no forbidden word", () => {
    const badWords = [[7], [2, 3], [4, 5, 6]];
    expect(allowed({ badWords }, [0, 2])).toEqual(without(7, 3));
    expect(allowed({ badWords }, [4, 5])).toEqual(without(7));
    expect(allowed({ badWords }, [0, 4, 5])).toEqual(without(7, 6));
  });

  it("is one token at the beginning and at the end, whatever else is forbidden", () => {
    const options = { forcedFirst: 5, forcedLast: [1], maxLength: 6, minLength: 50, noRepeatNgramSize: 1 };
    expect(allowed(options, [5])).toEqual([5]);
    expect(allowed(options, [0, 5, 2, 3, 4])).toEqual([1]);
    expect(allowed(options, [0, 5])).toEqual(without(0, 5, 1));
  });

  it("is not what is suppressed, at the beginning or anywhere", () => {
    expect(allowed({ suppress: [3], suppressFirst: [4] }, [0])).toEqual(without(3, 4));
    expect(allowed({ suppress: [3], suppressFirst: [4] }, [0, 2])).toEqual(without(3));
    expect(allowed({ suppressFirst: [4], forcedFirst: 2 }, [0, 2])).toEqual(without(4));
  });
});

import { describe, expect, it } from "vitest";
import { PREFIX_BLOCK, PrefixCache } from "../../../src/core/scheduler/prefix-cache.js";
import fc from "../../property.js";

/** Prompts of few different blocks share beginnings all the time. */
const prompt = fc
  .tuple(fc.array(fc.constantFrom(0, 1, 2), { maxLength: 6 }), fc.nat({ max: PREFIX_BLOCK - 1 }))
  .map(([blocks, rest]) => [...blocks.flatMap(block), ...block(9).slice(0, rest)]);
const kind = fc.constantFrom("step", "prefill");
const use = fc.oneof(
  fc.record({ keep: prompt, kind, share: fc.constantFrom(1, 1, 0.6) }),
  fc.record({ match: prompt, kind, limit: fc.nat({ max: 7 * PREFIX_BLOCK }) }),
  fc.record({ known: prompt, kind }),
);

describe("the cache of beginnings", () => {
  it("finds what a slow and simple one finds, in whatever order it is used", () => {
    fc.assert(
      fc.property(fc.nat({ max: 12 }), fc.array(use, { maxLength: 60 }), (most, uses) => {
        const cache = new PrefixCache<string>(most);
        const model = new SimpleCache(most);
        for (const one of uses) {
          if ("keep" in one) {
            const length = Math.floor(one.keep.length * one.share);
            const read = (start: number) => nameOf(one.keep, one.kind, start + PREFIX_BLOCK);
            cache.keep(one.keep, one.kind, length, read);
            model.keep(one.keep, one.kind, length);
          } else if ("match" in one) {
            const expected = model.match(one.match, one.kind, one.limit);
            expect(cache.match(one.match, one.kind, one.limit)).toEqual(expected);
          } else {
            const expected = model.chain(one.known, one.kind, one.known.length).length;
            expect(cache.known(one.known, one.kind)).toBe(expected * PREFIX_BLOCK);
          }
          expect(cache.size).toBe(model.names.length);
          expect(cache.size).toBeLessThanOrEqual(most);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("drops what was not used for the longest time, and its end before its beginning", () => {
    const cache = new PrefixCache<number>(4);
    const [a, b, c] = [1, 2, 3].map((token) => [...block(token), ...block(token)]);
    cache.keep(a, "step", a.length, Number);
    cache.keep(b, "step", b.length, Number);
    // Used again: now b is the one.
    expect(cache.match(a, "step", a.length)).toEqual([0, PREFIX_BLOCK]);
    cache.keep(c, "step", PREFIX_BLOCK, Number);
    expect([a, b, c].map((tokens) => cache.known(tokens, "step") / PREFIX_BLOCK)).toEqual([2, 1, 1]);
    cache.keep(c, "step", c.length, Number);
    expect([a, b, c].map((tokens) => cache.known(tokens, "step") / PREFIX_BLOCK)).toEqual([2, 0, 2]);
  });

  it("keeps the beginning of what is longer than all of it", () => {
    const cache = new PrefixCache<number>(3);
    const long = [1, 2, 3, 4, 5].flatMap(block);
    cache.keep(block(7), "step", PREFIX_BLOCK, Number);
    cache.keep(long, "step", long.length, Number);
    expect(cache.known(long, "step")).toBe(3 * PREFIX_BLOCK);
    expect(cache.known(block(7), "step")).toBe(0);
  });

  it("reads only the blocks that it does not have, and complete ones only", () => {
    const cache = new PrefixCache<number>(9);
    const reads: number[] = [];
    const read = (start: number) => reads.push(start);
    const tokens = [1, 2, 3].flatMap(block);
    cache.keep(tokens, "step", PREFIX_BLOCK + 31, read);
    cache.keep(tokens, "step", tokens.length, read);
    expect(reads).toEqual([0, 32, 64]);
    cache.keep(tokens, "prefill", PREFIX_BLOCK, read);
    expect(reads).toEqual([0, 32, 64, 0]);
  });

  it("keeps nothing where there is no memory for it, and nothing once it is cleared", () => {
    const none = new PrefixCache<number>(0);
    none.keep(block(1), "step", PREFIX_BLOCK, Number);
    expect(none.size).toBe(0);
    const cache = new PrefixCache<number>(2);
    cache.keep(block(1), "step", PREFIX_BLOCK, Number);
    cache.clear();
    expect([cache.size, cache.known(block(1), "step")]).toEqual([0, 0]);
  });
});

function block(token: number): number[] {
  return new Array<number>(PREFIX_BLOCK).fill(token);
}

/** A block, by all that stands before it. */
function nameOf(tokens: readonly number[], kind: string, end: number): string {
  return `${kind}:${tokens.slice(0, end).join(",")},`;
}

/** A list of names, the one that was not used for the longest time first. */
class SimpleCache {
  readonly #most: number;
  names: string[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  chain(tokens: readonly number[], kind: string, limit: number): string[] {
    const found: string[] = [];
    for (let end = PREFIX_BLOCK; end <= Math.min(limit, tokens.length); end += PREFIX_BLOCK) {
      const name = nameOf(tokens, kind, end);
      if (!this.names.includes(name)) break;
      found.push(name);
    }
    return found;
  }

  match(tokens: readonly number[], kind: string, limit: number): string[] {
    const found = this.chain(tokens, kind, limit);
    this.#use(found);
    return found;
  }

  keep(tokens: readonly number[], kind: string, length: number): void {
    const chain: string[] = [];
    for (let end = PREFIX_BLOCK; end <= length; end += PREFIX_BLOCK) {
      const name = nameOf(tokens, kind, end);
      if (!this.names.includes(name)) {
        if (this.names.length >= this.#most) {
          // One that nothing follows, and not the one that this one follows.
          const leaf = this.names.find(
            (one) =>
              one !== chain.at(-1) && !this.names.some((other) => other !== one && other.startsWith(one)),
          );
          if (leaf === undefined) break;
          this.names = this.names.filter((one) => one !== leaf);
        }
        this.names.push(name);
      }
      chain.push(name);
    }
    this.#use(chain);
  }

  /** The last block counts as used first, so that it goes before the others. */
  #use(chain: string[]): void {
    this.names = [...this.names.filter((name) => !chain.includes(name)), ...chain.toReversed()];
  }
}

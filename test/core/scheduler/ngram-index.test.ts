import { describe, expect, it } from "vitest";
import { NgramIndex } from "../../../src/core/scheduler/ngram-index.js";
import fc from "../../property.js";

describe("looking up where a text stood before", () => {
  it("finds the longest of the newest eight places, in whatever steps the text grew", () => {
    const pieces = fc.array(fc.array(fc.nat({ max: 2 }), { minLength: 1, maxLength: 12 }), { maxLength: 12 });
    fc.assert(
      fc.property(pieces, fc.integer({ min: 1, max: 12 }), (grown, most) => {
        const index = new NgramIndex();
        const tokens: number[] = [];
        for (const piece of grown) {
          tokens.push(...piece);
          expect(index.lookup(tokens, most)).toEqual(slowLookup(tokens, most));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("says what followed there, and goes on repeating what repeats itself", () => {
    const lookup = (tokens: number[], most: number) => new NgramIndex().lookup(tokens, most);
    expect(lookup([1, 2, 3, 4, 5, 9, 1, 2, 3], 2)).toEqual({ draft: [4, 5], matched: 3 });
    // Behind the end of the text follows what was drafted already.
    expect(lookup([7, 8, 7, 8], 5)).toEqual({ draft: [7, 8, 7, 8, 7], matched: 2 });
    // Of places that are alike the newest.
    expect(lookup([1, 2, 5, 1, 2, 6, 1, 2], 1)).toEqual({ draft: [6], matched: 2 });
    // A longer match goes before a newer one.
    expect(lookup([0, 1, 2, 5, 3, 1, 2, 6, 0, 1, 2], 1)).toEqual({ draft: [5], matched: 3 });
  });

  it("finds nothing in what is new or too short", () => {
    for (const tokens of [[], [1], [1, 2], [1, 2, 3, 4], [5, 1, 6, 1]])
      expect(new NgramIndex().lookup(tokens, 8)).toEqual({ draft: [], matched: 0 });
  });

  it("tells large ids apart", () => {
    const high = 2 ** 26 - 1;
    expect(new NgramIndex().lookup([high, high, 4, high, 0, 5, high, high], 1).draft).toEqual([4]);
    expect(new NgramIndex().lookup([high, 0, 5, high - 1, 0], 1).draft).toEqual([]);
  });
});

/** The same by going through all places. */
function slowLookup(tokens: number[], most: number): { draft: number[]; matched: number } {
  const end = tokens.length;
  let [best, matched, tried] = [-1, 0, 0];
  // The end itself is a place, too; it counts as one of the eight.
  for (let place = end; place >= 2 && tried < 8; place--) {
    if (tokens[place - 1] !== tokens[end - 1] || tokens[place - 2] !== tokens[end - 2]) continue;
    tried++;
    if (place === end) continue;
    let alike = 0;
    while (alike < 32 && alike < place && tokens[place - 1 - alike] === tokens[end - 1 - alike]) alike++;
    if (alike > matched) [best, matched] = [place, alike];
  }
  const text = [...tokens];
  for (let i = 0; best >= 0 && i < most; i++) text.push(text[best + i]);
  return { draft: text.slice(end), matched };
}

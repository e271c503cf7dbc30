import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createTokenizer } from "../../../src/core/text/tokenizer.js";
import type { TokenizerJson } from "../../../src/core/text/types.js";
import { type FixtureName, fixture, references, rows } from "./fixture.js";

interface OffsetsRow {
  tokenizer: FixtureName;
  /** Fields of tokenizer.json that are others. */
  changes?: Partial<TokenizerJson>;
  text: string;
  ids: number[];
  /** UTF-16 units. */
  offsets: [number, number][];
}

describe("the places of tokens in a text", () => {
  it.each(rows<OffsetsRow>("offsets.json"))(
    "are huggingface/tokenizers' in $tokenizer: $text",
    async ({ tokenizer: name, changes, text, ids, offsets }) => {
      const tokenizer = await open(name, changes);
      const placed = tokenizer.locate(text);
      expect(placed.map(({ id }) => id)).toEqual(ids);
      for (const [i, { id, start, end }] of placed.entries()) {
        // A space that the tokenizer itself put before a text stands nowhere.
        if (tokenizer.idToToken(id) === "Ġ" || text.startsWith(" ")) continue;
        expect([start, end]).toEqual(offsets[i]);
      }
    },
  );

  it.each(["byte-level", "word-piece", "unigram"] as const)(
    "of %s are in order, inside the text, and of the tokens that encode gives",
    async (name) => {
      const tokenizer = await open(name);
      for (const { text, plain } of references(name)) {
        const placed = tokenizer.locate(text);
        expect(placed.map(({ id }) => id)).toEqual(plain);
        let word = 0;
        for (const token of placed) {
          expect(token.start).toBeLessThanOrEqual(token.end);
          expect(token.end).toBeLessThanOrEqual(text.length);
          expect(token.word).toBeGreaterThanOrEqual(word);
          word = token.word;
        }
      }
    },
  );
});

async function open(name: FixtureName, changes?: Partial<TokenizerJson>) {
  const json = JSON.parse(readFileSync(`${fixture(name)}/tokenizer.json`, "utf8"));
  return createTokenizer({ ...json, ...changes });
}

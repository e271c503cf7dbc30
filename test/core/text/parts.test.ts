import { describe, expect, it } from "vitest";
import { bytesOfToken, byteToChar, toByteLevel } from "../../../src/core/text/byte-level.js";
import { Detokenizer } from "../../../src/core/text/detokenizer.js";
import { compileNormalizer } from "../../../src/core/text/normalizer.js";
import { loadPatterns } from "../../../src/core/text/patterns.js";
import { compilePostProcessor } from "../../../src/core/text/post-processor.js";
import { compilePreTokenizer } from "../../../src/core/text/pre-tokenizer.js";
import type { TaggedConfig } from "../../../src/core/text/types.js";
import { rows } from "./fixture.js";

const compile = await loadPatterns({ Regex: "" });

describe("the parts of tokenizer.json", () => {
  it("split text as huggingface/tokenizers does", () => {
    for (const { config, text, words } of rows<{ config: TaggedConfig; text: string; words: string[] }>(
      "pre-tokenizers.json",
    )) {
      const { split, byteLevel } = compilePreTokenizer(config, compile);
      const got = split(text, true);
      expect([config, text, byteLevel ? got.map(toByteLevel) : got]).toEqual([config, text, words]);
    }
  });

  it("normalize text as huggingface/tokenizers does", () => {
    for (const { config, text, normalized } of rows<{
      config: TaggedConfig;
      text: string;
      normalized: string;
    }>("normalizers.json")) {
      expect([config, text, compileNormalizer(config, compile)(text)]).toEqual([config, text, normalized]);
    }
  });

  it("join one text or two as huggingface/tokenizers does", () => {
    const tokens = new Map([
      ["[CLS]", 1],
      ["[SEP]", 2],
    ]);
    for (const { config, sequences, ids, typeIds } of rows<{
      config: TaggedConfig | null;
      sequences: [number[], number[]?];
      ids: number[];
      typeIds: number[];
    }>("post-processors.json")) {
      const { before, after, join } = compilePostProcessor(config, (token) => tokens.get(token));
      const [first, second] = sequences;
      expect([config, sequences, join(first, second)]).toEqual([config, sequences, { ids, typeIds }]);
      if (!second) expect([config, ...before, ...first, ...after]).toEqual([config, ...ids]);
    }
  });

  it("decode tokens as huggingface/tokenizers does", () => {
    for (const { config, tokens, text } of rows<{ config: TaggedConfig; tokens: string[]; text: string }>(
      "decoders.json",
    )) {
      const detokenizer = new Detokenizer({
        decoder: config,
        idToToken: (id) => tokens[id],
        isAdded: () => false,
        isSpecial: () => false,
      });
      const got = tokens.map((_, id) => detokenizer.push(id)).join("") + detokenizer.flush();
      expect([config, tokens, got]).toEqual([config, tokens, text]);
    }
  });
});

describe("the byte-level alphabet", () => {
  it("has a printable character for each byte and knows the way back", () => {
    expect(new Set(byteToChar).size).toBe(256);
    expect([...bytesOfToken(byteToChar.join(""))!]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
    expect(byteToChar[0x20]).toBe("Ġ");
    expect(bytesOfToken("a b")).toBeUndefined();
    expect(bytesOfToken("漢")).toBeUndefined();
  });
});

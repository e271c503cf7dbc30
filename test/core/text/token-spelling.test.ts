import { describe, expect, it } from "vitest";
import { tokenSpelling } from "../../../src/core/text/token-spelling.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import fc from "../../property.js";
import { fixture } from "./fixture.js";

describe.each(["byte-level", "sentencepiece-bpe"] as const)("tokens of the %s tokenizer", (name) => {
  it("spell, put together, the bytes of their text", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    const spell = tokenSpelling(tokenizer);
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 30 }), (text) => {
        const ids = tokenizer.encode(text, { addSpecialTokens: false });
        const spelled = Buffer.from(ids.flatMap((id) => spell(id).bytes)).toString("utf8");
        // SentencePiece writes a space before the first word, which its decoder takes away.
        expect([spelled, spelled.replace(/^ /, "")]).toContain(tokenizer.decode(ids));
      }),
    );
  });

  it("are whole texts where their bytes are, and else have U+FFFD", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    const spell = tokenSpelling(tokenizer);
    for (const id of tokenizer.encode("Grüße 👋 東京", { addSpecialTokens: false })) {
      const { text, bytes } = spell(id);
      expect(text).toBe(Buffer.from(bytes).toString("utf8"));
    }
  });
});

it("special tokens spell their names, and unknown ids nothing", async () => {
  const tokenizer = await loadTokenizer(fixture("byte-level"));
  const spell = tokenSpelling(tokenizer);
  const id = tokenizer.tokenToId("<|im_end|>")!;
  expect(spell(id)).toEqual({ text: "<|im_end|>", bytes: [...Buffer.from("<|im_end|>")] });
  expect(spell(tokenizer.vocabularySize)).toEqual({ text: "", bytes: [] });
});

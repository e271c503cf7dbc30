import { describe, expect, it } from "vitest";
import { Detokenizer } from "../../../src/core/text/detokenizer.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import fc from "../../property.js";
import { fixture, fixtureNames } from "./fixture.js";

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc
    .array(
      fc.constantFrom(
        "the",
        " dog",
        "  ",
        "👩‍👩‍👧‍👦",
        "e\u0301",
        "東京",
        "한국",
        "\n",
        "n't",
        "½",
        "<|im_end|>",
        "</s>",
        "[SEP]",
      ),
    )
    .map((parts) => parts.join("")),
);

describe.each(fixtureNames)("streaming with the %s tokenizer", (name) => {
  it("prints in pieces what decode gives at once", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    fc.assert(
      fc.property(text, fc.boolean(), (input, skipSpecialTokens) => {
        const ids = tokenizer.encode(input);
        const { whole } = stream(new Detokenizer(tokenizer, { skipSpecialTokens }), ids);
        expect(whole).toBe(tokenizer.decode(ids, { skipSpecialTokens }));
      }),
    );
  });

  it("prints any ids, also those that make no text", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    fc.assert(
      fc.property(fc.array(fc.nat(tokenizer.vocabularySize + 3), { maxLength: 30 }), (ids) => {
        expect(stream(new Detokenizer(tokenizer), ids).whole).toBe(
          tokenizer.decode(ids, { skipSpecialTokens: true }),
        );
      }),
    );
  });

  it("never prints half a character of a well-formed text", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    fc.assert(
      fc.property(text, (input) => {
        fc.pre(input.isWellFormed() && !input.includes("\ufffd"));
        const { pieces } = stream(new Detokenizer(tokenizer), tokenizer.encode(input));
        for (const piece of pieces) {
          expect(piece.isWellFormed()).toBe(true);
          expect(piece).not.toContain("\ufffd");
        }
      }),
    );
  });
});

describe("a detokenizer", () => {
  it("waits for the last byte of a character", async () => {
    const tokenizer = await loadTokenizer(fixture("sentencepiece-bpe"));
    const detokenizer = new Detokenizer(tokenizer);
    const ids = ["▁", "<0xF0>", "<0x9F>", "<0x98>", "<0x80>", "a"].map(
      (token) => tokenizer.tokenToId(token)!,
    );
    expect(ids.map((id) => detokenizer.push(id))).toEqual(["", "", "", "", "😀", "a"]);
    expect(detokenizer.flush()).toBe("");
  });

  it("gives a replacement character for what stays incomplete", async () => {
    const tokenizer = await loadTokenizer(fixture("sentencepiece-bpe"));
    const [first, second, letter] = ["<0xE2>", "<0x82>", "a"].map((token) => tokenizer.tokenToId(token)!);
    const cut = new Detokenizer(tokenizer);
    expect([cut.push(letter), cut.push(first), cut.push(second), cut.flush()]).toEqual([
      "a",
      "",
      "",
      "\ufffd",
    ]);
    const broken = new Detokenizer(tokenizer);
    expect([broken.push(first), broken.push(letter), broken.flush()]).toEqual(["", "\ufffda", ""]);
    expect(tokenizer.decode([letter, first, second])).toBe("a\ufffd");
  });

  it("drops SentencePiece's first space at the beginning of a text and keeps it after a prompt", async () => {
    const tokenizer = await loadTokenizer(fixture("sentencepiece-bpe"));
    const prompt = tokenizer.encode("the");
    const [dog] = tokenizer.encode(" dog", { addSpecialTokens: false }).slice(-1);
    expect(tokenizer.idToToken(dog)!.startsWith("▁")).toBe(true);
    const printed = tokenizer.idToToken(dog)!.slice(1);
    expect(new Detokenizer(tokenizer).push(dog)).toBe(printed);
    expect(new Detokenizer(tokenizer, { context: prompt }).push(dog)).toBe(` ${printed}`);
    const onlySpecial = new Detokenizer(tokenizer, { context: [tokenizer.tokenToId("<s>")!] });
    expect(onlySpecial.push(dog)).toBe(printed);
  });

  it("costs the same for each token, however long the text is", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    const ids = tokenizer.encode("the quick brown fox 東京 ".repeat(8_000));
    const start = performance.now();
    stream(new Detokenizer(tokenizer), ids);
    // Decoding the whole text at each of these 200,000 tokens would take hours.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

function stream(detokenizer: Detokenizer, ids: readonly number[]): { pieces: string[]; whole: string } {
  const pieces = ids.map((id) => detokenizer.push(id));
  return { pieces, whole: pieces.join("") + detokenizer.flush() };
}

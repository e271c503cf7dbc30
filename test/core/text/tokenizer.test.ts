import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { createTokenizer, loadTokenizer } from "../../../src/core/text/tokenizer.js";
import type { TokenizerJson } from "../../../src/core/text/types.js";
import fc from "../../property.js";
import { fixture, fixtureNames, references } from "./fixture.js";

describe.each(fixtureNames)("the %s tokenizer", (name) => {
  it("gives the ids of huggingface/tokenizers", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    for (const { text, ids, plain } of references(name)) {
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
      expect([text, tokenizer.encode(text, { addSpecialTokens: false })]).toEqual([text, plain]);
    }
  });

  it("gives the text of huggingface/tokenizers back", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    for (const { ids, decoded, skipped } of references(name)) {
      expect(tokenizer.decode(ids)).toBe(decoded);
      expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe(skipped);
    }
  });

  it("encodes any text into ids of its vocabulary", async () => {
    const tokenizer = await loadTokenizer(fixture(name));
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 60 }), (text) => {
        for (const id of tokenizer.encode(text)) expect(tokenizer.idToToken(id)).toBeDefined();
      }),
    );
  });
});

describe("a byte-level tokenizer", () => {
  it("gives back every well-formed text", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        // <mask> takes the space before it, so only texts without it come back whole.
        fc.pre(!text.includes("<mask>"));
        expect(tokenizer.decode(tokenizer.encode(text, { addSpecialTokens: false }))).toBe(
          text.toWellFormed(),
        );
      }),
    );
  });

  it("takes time in proportion to the text", async () => {
    const tokenizer = await loadTokenizer(fixture("byte-level"));
    const start = performance.now();
    tokenizer.encode("a".repeat(200_000));
    tokenizer.encode("the ".repeat(50_000));
    // Milliseconds where the merges are found by a heap; minutes where every merge scans the word.
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe("loading a tokenizer", () => {
  it("ignores the truncation and padding that somebody saved", async () => {
    const saved = JSON.parse(await readFile(path.join(fixture("word-piece"), "tokenizer.json"), "utf8"));
    expect(saved.truncation.max_length).toBe(4);
    const tokenizer = await loadTokenizer(fixture("word-piece"));
    expect(tokenizer.encode("the quick brown fox jumps over the lazy dog").length).toBeGreaterThan(9);
    expect(tokenizer.encode("dog")).toHaveLength(3);
  });

  it("takes the roles of tokens from tokenizer_config.json and special_tokens_map.json", async () => {
    const directory = await folder({
      "tokenizer.json": await tokenizerJson("byte-level"),
      "special_tokens_map.json": {
        eos_token: { content: "<|im_end|>", lstrip: false },
        pad_token: "<|im_end|>",
      },
      "tokenizer_config.json": { bos_token: "<|im_start|>", eos_token: null, cls_token: "[NOT THERE]" },
    });
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer.specialTokens).toEqual({ bos: "<|im_start|>", eos: "<|im_end|>", pad: "<|im_end|>" });
    expect(tokenizer.isSpecial(tokenizer.tokenToId("<|im_end|>")!)).toBe(true);
    expect(tokenizer.isSpecial(tokenizer.tokenToId("<mask>")!)).toBe(false);
  });

  it("adds the tokens that only tokenizer_config.json has", async () => {
    const directory = await folder({
      "tokenizer.json": await tokenizerJson("byte-level"),
      "tokenizer_config.json": { added_tokens_decoder: { "700": { content: "<think>", special: false } } },
    });
    const tokenizer = await loadTokenizer(directory);
    expect(tokenizer.encode("<think>", { addSpecialTokens: false })).toEqual([700]);
    expect(tokenizer.decode([700])).toBe("<think>");
    expect(tokenizer.vocabularySize).toBe(701);
    expect(tokenizer.decode([650, 699, 1e9, -1])).toBe("");
  });

  it("builds GPT-2's tokenizer from vocab.json and merges.txt", async () => {
    const json = await tokenizerJson("byte-level");
    const directory = await folder({
      "vocab.json": json.model.vocab,
      "merges.txt": `#version: 0.2\n${json.model.merges!.map((pair) => [pair].flat().join(" ")).join("\n")}\n`,
    });
    const [whole, built] = [await loadTokenizer(fixture("byte-level")), await loadTokenizer(directory)];
    expect(built.specialTokens.eos ?? built.idToToken(0)).toBe("<|endoftext|>");
    for (const text of ["The dog doesn't mind.", " naïve 東京 👍🏽", "a<|endoftext|>b"]) {
      expect(built.encode(text)).toEqual(whole.encode(text, { addSpecialTokens: false }));
      expect(built.decode(built.encode(text))).toBe(text);
    }
  });

  it("builds BERT's tokenizer from vocab.txt", async () => {
    const json = await tokenizerJson("word-piece");
    const tokens = Object.entries(json.model.vocab as Record<string, number>)
      .sort(([, a], [, b]) => a - b)
      .map(([token]) => token);
    const directory = await folder({ "vocab.txt": `${tokens.join("\n")}\n` });
    const tokenizer = await loadTokenizer(directory);
    for (const { text, ids } of references("word-piece"))
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
    const cased = await folder({
      "vocab.txt": `${tokens.join("\n")}\nTHE\n`,
      "tokenizer_config.json": { do_lower_case: false },
    });
    expect((await loadTokenizer(cased)).encode("THE", { addSpecialTokens: false })).toEqual([tokens.length]);
  });

  it("ends a text as Blenderbot does, and builds no tokenizer whose pairs it can't know", async () => {
    const vocabulary = { "<s>": 0, "<pad>": 1, "</s>": 2, "<unk>": 3, "\u0120": 4, a: 5, "\u0120a": 6 };
    const files = (tokenizer_class: string) => ({
      "vocab.json": vocabulary,
      "merges.txt": "#version: 0.2\n\u0120 a\n",
      "tokenizer_config.json": { tokenizer_class },
    });
    const blenderbot = await loadTokenizer(await folder(files("BlenderbotTokenizer")));
    expect(blenderbot.encode("a")).toEqual([6, 2]);
    const bart = await loadTokenizer(await folder(files("BartTokenizer")));
    expect(bart.encode("a")).toEqual([0, 5, 2]);
    await expect(loadTokenizer(await folder(files("BlenderbotSmallTokenizer")))).rejects.toMatchObject({
      code: "unsupported_model",
      message: "the tokenizer BlenderbotSmallTokenizer is not built from its files",
    });
  });

  it.each(["spiece.model", "source.spm", "sentencepiece.bpe.model"])(
    "reads no %s, and says so",
    async (name) => {
      await expect(loadTokenizer(await folder({ [name]: "", "vocab.json": { a: 0 } }))).rejects.toMatchObject(
        {
          code: "unsupported_model",
          message: expect.stringContaining(`has ${name}, and no tokenizer.json`),
        },
      );
    },
  );

  it("says what is missing where there is no tokenizer", async () => {
    await expect(loadTokenizer(await folder({}))).rejects.toMatchObject({
      code: "unsupported_model",
      hint: expect.stringContaining("tokenizer.json"),
    });
    await expect(loadTokenizer(await folder({ "vocab.json": { a: 0 } }))).rejects.toThrow(
      "merges.txt is not",
    );
  });

  it.each([
    ["broken JSON", '{"model": {'],
    ["a list", "[1]"],
    ["no model", "{}"],
    ["a negative id", { model: { type: "BPE", vocab: { a: -1 }, merges: [] } }],
    ["an enormous id", { model: { type: "BPE", vocab: { a: 2 ** 40 }, merges: [] } }],
    ["an id that is text", { model: { type: "BPE", vocab: { a: "0" }, merges: [] } }],
    ["a merge of unknown tokens", { model: { type: "BPE", vocab: { a: 0 }, merges: ["a b"] } }],
    [
      "an added token without content",
      { added_tokens: [{ id: 1 }], model: { type: "BPE", vocab: { a: 0 }, merges: [] } },
    ],
    [
      "a vocabulary without its unknown token",
      { model: { type: "WordPiece", vocab: { a: 0 }, unk_token: "[UNK]" } },
    ],
    [
      "a normalizer with damaged rules",
      {
        normalizer: { type: "Precompiled", precompiled_charsmap: "/////w==" },
        model: { type: "BPE", vocab: { a: 0 }, merges: [] },
      },
    ],
    [
      "a pattern that is none",
      {
        pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" },
        model: { type: "BPE", vocab: { a: 0 }, merges: [] },
      },
    ],
  ])("calls %s a corrupt file", async (_, content) => {
    const directory = await folder({ "tokenizer.json": content });
    await expect(loadTokenizer(directory)).rejects.toMatchObject({ code: "corrupt_file" });
  });

  it.each(["normalizer", "pre_tokenizer", "post_processor", "decoder"])(
    "names a %s that it doesn't know",
    async (part) => {
      const json = { ...(await tokenizerJson("byte-level")), [part]: { type: "Mystery" } };
      await expect(createTokenizer(json)).rejects.toMatchObject({
        code: "unsupported_model",
        message: expect.stringContaining("Mystery"),
      });
    },
  );

  it("names a model that it doesn't know", async () => {
    const json = { model: { type: "Mystery", vocab: { a: 0 } } } as TokenizerJson;
    await expect(createTokenizer(json)).rejects.toThrow("Mystery");
  });

  it("stops when it is told to", async () => {
    await expect(loadTokenizer(fixture("byte-level"), AbortSignal.abort())).rejects.toMatchObject({
      code: "aborted",
    });
  });

  it("throws nothing but its own errors, whatever the file holds", async () => {
    const json = await tokenizerJson("word-piece");
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(json)), fc.json(), async (part, value) => {
        try {
          (await createTokenizer({ ...json, [part]: JSON.parse(value) })).encode("a dog");
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
        }
      }),
      { numRuns: 200 },
    );
  });
});

async function tokenizerJson(name: (typeof fixtureNames)[number]): Promise<TokenizerJson> {
  return JSON.parse(await readFile(path.join(fixture(name), "tokenizer.json"), "utf8"));
}

async function folder(files: Record<string, unknown>): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), "hfms-tokenizer-"));
  for (const [name, content] of Object.entries(files)) {
    await writeFile(
      path.join(directory, name),
      typeof content === "string" ? content : JSON.stringify(content),
    );
  }
  return directory;
}

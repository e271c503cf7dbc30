import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { byteToChar } from "../../../src/core/text/byte-level.js";
import { tokenizerFromGguf } from "../../../src/core/text/gguf-tokenizer.js";
import { createTokenizer } from "../../../src/core/text/tokenizer.js";
import type { TokenizerJson } from "../../../src/core/text/types.js";
import type { MetadataValue } from "../../../src/core/weights/types.js";
import { type FixtureName, fixture, references } from "./fixture.js";

describe("a tokenizer rebuilt from GGUF metadata", () => {
  it("gives the ids of the tokenizer.json that it came from", async () => {
    const metadata = await byteLevelMetadata("smollm");
    metadata.set("tokenizer.ggml.add_bos_token", true);
    const tokenizer = await rebuilt(metadata);
    // GGUF keeps neither lstrip nor single_word, so texts with those tokens are left out.
    const plain = references("byte-level").filter(({ text }) => !/<mask>|fox/.test(text));
    expect(plain.length).toBeGreaterThan(30);
    for (const { text, ids, decoded } of plain) {
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
      expect(tokenizer.decode(ids)).toBe(decoded);
    }
  });

  it("knows the tokens with a role, and which are special", async () => {
    const metadata = await byteLevelMetadata("smollm");
    metadata.set("tokenizer.ggml.eos_token_id", 2);
    metadata.set("tokenizer.ggml.padding_token_id", 2);
    const tokenizer = await rebuilt(metadata);
    expect(tokenizer.specialTokens).toEqual({ bos: "<|endoftext|>", eos: "<|im_end|>", pad: "<|im_end|>" });
    expect(tokenizer.encode("a<|im_end|>").at(-1)).toBe(2);
    expect(tokenizer.isSpecial(2)).toBe(true);
    expect(tokenizer.decode([2], { skipSpecialTokens: true })).toBe("");
  });

  it("begins with BOS where the file or else the pre-tokenizer says so", async () => {
    const metadata = await byteLevelMetadata("smollm");
    expect((await rebuilt(metadata)).encode("a")).toHaveLength(1);
    metadata.set("tokenizer.ggml.pre", "llama-bpe");
    expect((await rebuilt(metadata)).encode("a")[0]).toBe(0);
    metadata.set("tokenizer.ggml.add_bos_token", false);
    expect((await rebuilt(metadata)).encode("a")).toHaveLength(1);
  });

  it.each([
    ["gpt-2", "it's 1234 hé  x", ["it", "'s", " 1234", " hé", " ", " x"]],
    ["default", "it's 1234", ["it", "'s", " 1234"]],
    ["smollm", "it's 1234", ["it", "'s", " ", "1", "2", "3", "4"]],
    ["llama-bpe", "IT'S 12345\n\n  x", ["IT", "'S", " ", "123", "45", "\n\n", " ", " x"]],
    ["qwen2", "IT'S 123 (x)!\n", ["IT", "'S", " ", "1", "2", "3", " (", "x", ")!\n"]],
    ["qwen35", "हिन्दी x", ["हिन्दी", " x"]],
    ["tekken", "HelloWorld 12", ["Hello", "World", " ", "1", "2"]],
    ["gpt-4o", "HelloWorld's 1234", ["Hello", "World's", " ", "123", "4"]],
    ["deepseek-llm", "ab 東京a\n12", ["ab", " ", "東京", "a", "\n", "1", "2"]],
    ["deepseek-coder", "x+y 12", ["x", "+", "y", " ", "1", "2"]],
    ["deepseek-v3", "x 1234東京!ab", ["x", " ", "123", "4", "東京", "!ab"]],
    ["falcon", "ab?! 12345", ["ab", "?!", "Ġ", "123", "45"]],
    ["bloom", "ab,cd e", ["ab", ",", "cd", " e"]],
  ])("splits words as %s does", async (pre, text, words) => {
    const { tokenizerJson } = tokenizerFromGguf(await byteLevelMetadata(pre));
    // A vocabulary of bytes and of these words only: each word must come out as one token.
    const spelled = words.map((word) => (word === "Ġ" ? word : printable(word)));
    const vocab = Object.fromEntries(
      [...new Set([...byteToChar, ...spelled])].map((token, id) => [token, id]),
    );
    const json = { ...tokenizerJson, added_tokens: [], post_processor: null };
    json.model = { type: "BPE", vocab, merges: [], ignore_merges: true };
    const tokenizer = await createTokenizer(json);
    expect(tokenizer.encode(text).map((id) => tokenizer.idToToken(id))).toEqual(spelled);
  });

  it("refuses a pre-tokenizer that it doesn't know, and names it", async () => {
    const metadata = await byteLevelMetadata("brand-new");
    expect(() => tokenizerFromGguf(metadata)).toThrow(
      expect.objectContaining({ code: "unsupported_model", message: expect.stringContaining('"brand-new"') }),
    );
  });

  it("refuses a kind of vocabulary that it doesn't know, and names it", async () => {
    const metadata = await byteLevelMetadata("gpt-2");
    metadata.set("tokenizer.ggml.model", "rwkv");
    expect(() => tokenizerFromGguf(metadata)).toThrow(
      expect.objectContaining({ code: "unsupported_model", message: expect.stringContaining('"rwkv"') }),
    );
  });

  it("joins SentencePiece's pieces in the order of their scores", async () => {
    const tokenizer = await rebuilt(sentencePiece());
    const pieces = (text: string) =>
      tokenizer.encode(text, { addSpecialTokens: false }).map((id) => tokenizer.idToToken(id));
    // "ab" (score -1) before "bc" (-2): abc is ab + c, though bc exists.
    expect(pieces("abc")).toEqual(["▁", "ab", "c"]);
    expect(pieces("bc b")).toEqual(["▁", "bc", "▁b"]);
    expect(pieces("é")).toEqual(["▁", "<0xC3>", "<0xA9>"]);
    expect(tokenizer.encode("abc")[0]).toBe(1);
    expect(tokenizer.decode(tokenizer.encode("abc é b"), { skipSpecialTokens: true })).toBe("abc é b");
  });

  it("leaves out SentencePiece's first space where the file says so", async () => {
    const metadata = sentencePiece();
    metadata.set("tokenizer.ggml.add_space_prefix", false);
    const tokenizer = await rebuilt(metadata);
    const ids = tokenizer.encode("ab", { addSpecialTokens: false });
    expect(ids.map((id) => tokenizer.idToToken(id))).toEqual(["ab"]);
    expect(tokenizer.decode([tokenizer.tokenToId("▁b")!])).toBe(" b");
  });

  it("rebuilds BERT's WordPiece", async () => {
    const json = await tokenizerJson("word-piece");
    const types: number[] = [];
    const tokens: string[] = [];
    for (const [token, id] of Object.entries(json.model.vocab as Record<string, number>)) {
      types[id] = token.startsWith("[") && token.length > 1 ? 3 : 1;
      tokens[id] = types[id] === 3 ? token : token.startsWith("##") ? token.slice(2) : `▁${token}`;
    }
    const id = (token: string) => tokens.indexOf(token);
    const tokenizer = await rebuilt(
      new Map<string, MetadataValue>([
        ["tokenizer.ggml.model", "bert"],
        ["tokenizer.ggml.tokens", tokens],
        ["tokenizer.ggml.token_type", types],
        ["tokenizer.ggml.cls_token_id", id("[CLS]")],
        ["tokenizer.ggml.seperator_token_id", id("[SEP]")],
        ["tokenizer.ggml.unknown_token_id", id("[UNK]")],
      ]),
    );
    for (const { text, ids } of references("word-piece"))
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
  });

  it("takes a tokenizer.json that the file carries at its word", async () => {
    const metadata = await byteLevelMetadata("brand-new");
    const whole = await readFile(path.join(fixture("byte-level"), "tokenizer.json"), "utf8");
    metadata.set("tokenizer.huggingface.json", whole);
    const tokenizer = await rebuilt(metadata);
    for (const { text, ids } of references("byte-level"))
      expect([text, tokenizer.encode(text)]).toEqual([text, ids]);
    for (const wrong of ["{", "null", "[]", '{"version":"1.0"}']) {
      metadata.set("tokenizer.huggingface.json", wrong);
      expect(() => tokenizerFromGguf(metadata)).toThrow(
        expect.objectContaining({
          code: "corrupt_file",
          message: expect.stringContaining("huggingface.json"),
        }),
      );
    }
  });

  it("joins Gemma 4's marked pieces by the merges of the file, with no space before the text", async () => {
    const metadata = sentencePiece();
    metadata.set("tokenizer.ggml.model", "gemma4");
    metadata.set("tokenizer.ggml.merges", ["b c", "a b", "▁ b"]);
    metadata.delete("tokenizer.ggml.scores");
    const tokenizer = await rebuilt(metadata);
    const ids = tokenizer.encode("abc b\n");
    expect(ids.map((id) => tokenizer.idToToken(id))).toEqual(["<s>", "a", "bc", "▁b", "<0x0A>"]);
    expect(tokenizer.decode(ids, { skipSpecialTokens: true })).toBe("abc b\n");
  });

  it("knows the ids that SentencePiece's files don't name", async () => {
    const metadata = sentencePiece();
    metadata.delete("tokenizer.ggml.bos_token_id");
    metadata.delete("tokenizer.ggml.eos_token_id");
    expect((await rebuilt(metadata)).specialTokens).toEqual({ bos: "<s>", eos: "</s>", unk: "<unk>" });
  });

  it("lets the mask of a byte-level vocabulary take the space before it", async () => {
    const metadata = await byteLevelMetadata("roberta-bpe");
    metadata.set("tokenizer.ggml.mask_token_id", 2);
    const tokenizer = await rebuilt(metadata);
    expect(tokenizer.encode("a <|im_end|>", { addSpecialTokens: false })).toEqual([
      ...tokenizer.encode("a", { addSpecialTokens: false }),
      2,
    ]);
  });

  it("carries the chat templates over", async () => {
    const metadata = await byteLevelMetadata("gpt-2");
    metadata.set("tokenizer.chat_template", "{{ messages }}");
    expect(tokenizerFromGguf(metadata).tokenizerConfig.chat_template).toBe("{{ messages }}");
    metadata.set("tokenizer.chat_templates", ["tool_use"]);
    metadata.set("tokenizer.chat_template.tool_use", "{{ tools }}");
    expect(tokenizerFromGguf(metadata).tokenizerConfig.chat_template).toEqual([
      { name: "default", template: "{{ messages }}" },
      { name: "tool_use", template: "{{ tools }}" },
    ]);
  });

  it.each<[string, (metadata: Map<string, MetadataValue>) => void]>([
    ["no tokenizer at all", (metadata) => metadata.clear()],
    ["no tokens", (metadata) => metadata.delete("tokenizer.ggml.tokens")],
    ["tokens that are numbers", (metadata) => metadata.set("tokenizer.ggml.tokens", [1, 2])],
    ["too few token types", (metadata) => metadata.set("tokenizer.ggml.token_type", [1])],
    ["no merges", (metadata) => metadata.delete("tokenizer.ggml.merges")],
    ["a BOS token outside the vocabulary", (metadata) => metadata.set("tokenizer.ggml.bos_token_id", 1e6)],
  ])("calls %s a corrupt file", async (_, damage) => {
    const metadata = await byteLevelMetadata("gpt-2");
    damage(metadata);
    expect(() => tokenizerFromGguf(metadata)).toThrow(expect.objectContaining({ code: "corrupt_file" }));
  });
});

async function rebuilt(metadata: Map<string, MetadataValue>) {
  const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(metadata);
  return createTokenizer(tokenizerJson, tokenizerConfig);
}

/** What a converter writes for the byte-level fixture. */
async function byteLevelMetadata(pre: string): Promise<Map<string, MetadataValue>> {
  const json = await tokenizerJson("byte-level");
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(json.model.vocab as Record<string, number>)) tokens[id] = token;
  const types = tokens.map(() => 1);
  for (const { id, content, special } of json.added_tokens!) {
    tokens[id] = content;
    types[id] = special ? 3 : 4;
  }
  return new Map<string, MetadataValue>([
    ["tokenizer.ggml.model", "gpt2"],
    ["tokenizer.ggml.pre", pre],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", types],
    ["tokenizer.ggml.merges", json.model.merges!.map((pair) => [pair].flat().join(" "))],
    ["tokenizer.ggml.bos_token_id", 0],
  ]);
}

function sentencePiece(): Map<string, MetadataValue> {
  const bytes = Array.from(
    { length: 256 },
    (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
  );
  const pieces = ["ab", "bc", "▁b", "▁", "a", "b", "c"];
  const tokens = ["<unk>", "<s>", "</s>", ...bytes, ...pieces];
  return new Map<string, MetadataValue>([
    ["tokenizer.ggml.model", "llama"],
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", [2, 3, 3, ...bytes.map(() => 6), ...pieces.map(() => 1)]],
    ["tokenizer.ggml.scores", tokens.map((_, id) => (id < 259 ? 0 : 258 - id))],
    ["tokenizer.ggml.bos_token_id", 1],
    ["tokenizer.ggml.eos_token_id", 2],
  ]);
}

async function tokenizerJson(name: FixtureName): Promise<TokenizerJson> {
  return JSON.parse(await readFile(path.join(fixture(name), "tokenizer.json"), "utf8"));
}

function printable(text: string): string {
  return [...Buffer.from(text, "utf8")].map((byte) => byteToChar[byte]).join("");
}

import { describe, expect, it } from "vitest";
import { ggufStopTokens } from "../../../src/core/text/gguf-stop-tokens.js";
import type { MetadataValue } from "../../../src/core/weights/types.js";

const metadata = (tokens: string[], keys: Record<string, MetadataValue>, types = tokens.map(() => 3)) =>
  new Map<string, MetadataValue>([
    ["tokenizer.ggml.tokens", tokens],
    ["tokenizer.ggml.token_type", types],
    ...Object.entries(keys).map(([key, value]) => [`tokenizer.ggml.${key}_token_id`, value] as const),
  ]);

describe("the tokens that end an answer", () => {
  it("are those that the GGUF file names", () => {
    expect(ggufStopTokens(metadata(["a", "b", "c"], { eos: 1, eot: 2n, eom: 1 }))).toEqual([1, 2]);
    expect(ggufStopTokens(new Map())).toEqual([]);
  });

  it("are those of the chat format too, where the file names only one", () => {
    const llama3 = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|eom_id|>"];
    expect(ggufStopTokens(metadata(llama3, { eos: 1 }))).toEqual([1, 2, 3]);
  });

  it("are not words of the vocabulary that look like them", () => {
    expect(ggufStopTokens(metadata(["</s>", "<|end|>"], { eos: 0 }, [3, 1]))).toEqual([0]);
  });

  it("leave <|end|> out where it ends one message of several", () => {
    const harmony = ["<|end|>", "<|return|>", "<|call|>"];
    expect(ggufStopTokens(metadata(harmony, { eos: 1 }))).toEqual([1, 2]);
  });
});

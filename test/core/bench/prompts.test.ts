import { describe, expect, it } from "vitest";
import { PromptMaker } from "../../../src/core/bench/prompts.js";
import type { TokenizeEvent } from "../../../src/core/requests.js";
import { sentences } from "../../../src/core/text/english.js";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { golden } from "../../golden/reference.js";

describe("the English", () => {
  it("has many sentences, each of them once", () => {
    expect(sentences.length).toBeGreaterThan(60);
    expect(new Set(sentences).size).toBe(sentences.length);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z][^\n]*[.!?]$/);
  });
});

describe.each(["llama-gqa", "gpt2-bare", "llama-llama3-rope"] as const)("prompts for %s", async (name) => {
  const tokenizer = await loadTokenizer(golden(name).directory);
  const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: true });
  const maker = (seed: number) => new PromptMaker(tokensBy(encode), seed);

  it("have exactly as many tokens as were asked for", async () => {
    for (const tokens of [2, 3, 5, 8, 16, 63, 64, 65, 200, 511]) {
      const prompts = await maker(tokens).make(4, tokens);
      expect(prompts.map((prompt) => encode(prompt).length)).toEqual([tokens, tokens, tokens, tokens]);
    }
  });

  it("share no more than a few tokens at their beginning", async () => {
    const prompts = (await maker(1).make(40, 64)).map(encode);
    const shared = (a: number[], b: number[]) => a.findIndex((token, i) => token !== b[i]);
    const longest = Math.max(...prompts.flatMap((a, i) => prompts.slice(i + 1).map((b) => shared(a, b))));
    expect(longest).toBeLessThanOrEqual(6);
    expect(longest).toBeGreaterThanOrEqual(0);
  });

  it("are the same for the same seed", async () => {
    expect(await maker(3).make(3, 40)).toEqual(await maker(3).make(3, 40));
    expect(await maker(4).make(3, 40)).not.toEqual(await maker(3).make(3, 40));
  });
});

it("a length that no text has is refused, with the number", async () => {
  const even = new PromptMaker(
    tokensBy((text) => Array(2 * text.length).fill(0)),
    0,
  );
  await expect(even.make(1, 7)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining("7 tokens"),
  });
});

/** The events of an engine with this tokenizer. */
function tokensBy(encode: (text: string) => number[]) {
  return async function* (texts: string[]): AsyncGenerator<TokenizeEvent> {
    for (const [index, text] of texts.entries()) yield { type: "tokens", index, ids: encode(text) };
  };
}

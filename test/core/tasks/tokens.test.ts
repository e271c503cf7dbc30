import { describe, expect, it } from "vitest";
import type { ChatMessage, TokenizeRequest } from "../../../src/core/requests.js";
import { embed, engineHome, generate, openEngine } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";
import { collect } from "../../tiny-model.js";

const home = engineHome();
const llama = golden("llama-gqa");
const bert = golden("bert-mean");
const [, prompt] = llama.reference.prompts;
const model = llama.directory;

async function idsOf(request: TokenizeRequest) {
  const engine = await openEngine(home());
  const events = await collect(engine.tokenize(request));
  return events.filter((event) => event.type === "tokens");
}

describe("tokens of a text", () => {
  it("are those that the model reads, in the order of the texts, with their strings where asked for", async () => {
    const found = await idsOf({ model, texts: [prompt.text, ""], words: true });
    expect(found.map(({ index }) => index)).toEqual([0, 1]);
    expect(found[0].ids).toEqual(prompt.tokens);
    expect(found[0].words).toHaveLength(prompt.tokens.length);
    const [{ ids, words }] = await idsOf({ model: bert.directory, texts: ["a cat"] });
    expect(ids).toEqual(bert.reference.texts.find(({ text }) => text === "a cat")?.tokens ?? ids);
    expect(words).toBeUndefined();
  });

  it("come without special tokens where those are not wanted", async () => {
    const [whole] = await idsOf({ model: bert.directory, texts: ["a cat"] });
    const [bare] = await idsOf({ model: bert.directory, texts: ["a cat"], addSpecialTokens: false });
    expect(bare.ids).toEqual(whole.ids.slice(1, -1));
  });

  it("of a conversation are the template's", async () => {
    const messages: ChatMessage[] = [{ role: "user", content: "Hi" }];
    const engine = await openEngine(home());
    const [{ ids }] = await idsOf({ model, texts: [messages] });
    const done = await generate(engine, { model, prompt: messages, maxTokens: 1 });
    expect(ids).toHaveLength(done.usage.prompt_tokens);
  });

  it("become the text again", async () => {
    const engine = await openEngine(home());
    const events = await collect(
      engine.detokenize({ model, tokens: [prompt.tokens, []], skipSpecialTokens: true }),
    );
    expect(events.slice(-2)).toEqual([
      { type: "detokenized", index: 0, text: prompt.text },
      { type: "detokenized", index: 1, text: "" },
    ]);
    await expect(collect(engine.detokenize({ model, tokens: [[1e7]] }))).rejects.toMatchObject({
      code: "invalid_request",
      param: "tokens",
    });
  });
});

describe("token ids in place of a text", () => {
  const plain = { model, dtype: "fp32", temperature: 0, maxTokens: 8 } as const;

  it("are continued as the text is", async () => {
    const engine = await openEngine(home());
    const done = await generate(engine, { ...plain, prompt: { tokens: prompt.tokens } });
    expect(done.tokens).toEqual(prompt.greedy.slice(0, 8));
    const echo = await generate(engine, { ...plain, prompt: { tokens: prompt.tokens }, echo: true });
    expect(echo.text.endsWith(prompt.text + done.text)).toBe(true);
  });

  it("give the vector that the text gives", async () => {
    const engine = await openEngine(home());
    const [{ ids }] = await idsOf({ model: bert.directory, texts: ["a cat"] });
    const { vectors } = await embed(engine, { model: bert.directory, input: ["a cat", ids] });
    expect(vectors[1]).toEqual({ ...vectors[0], index: 1 });
  });

  it.each([
    ["none", [], "empty_input"],
    ["of another model", [3, 10_000_000], "invalid_request"],
    ["below zero", [-1], "invalid_request"],
    ["between two", [1.5], "invalid_request"],
  ])("are refused by name: %s", async (_what, tokens, code) => {
    const engine = await openEngine(home());
    await expect(generate(engine, { ...plain, prompt: { tokens } })).rejects.toMatchObject({
      code,
      param: "prompt",
    });
    await expect(embed(engine, { model: bert.directory, input: ["a", tokens] })).rejects.toMatchObject({
      code,
      message: expect.stringContaining("text 2"),
      param: "input",
    });
  });

  it("go with no system message and no tools", async () => {
    const engine = await openEngine(home());
    const request = { ...plain, prompt: { tokens: prompt.tokens } };
    await expect(generate(engine, { ...request, system: "Be brief" })).rejects.toMatchObject({
      param: "system",
    });
    await expect(generate(engine, { ...request, tools: [{ name: "f" }] })).rejects.toMatchObject({
      param: "tools",
    });
  });
});

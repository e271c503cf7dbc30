import { describe, expect, it } from "vitest";
import { generate } from "../../../engine-sandbox.js";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing();
const model = "golden/llama-gqa";
const [, { text, tokens }] = golden("llama-gqa").reference.prompts;

async function post(path: string, body: object): Promise<unknown> {
  const response = await server().post(path, { model, ...body });
  expect(response.status).toBe(200);
  return response.json();
}

describe("tokens", () => {
  it("of a text are those that the model reads", async () => {
    expect(await post("/tokenize", { prompt: text })).toEqual({
      count: tokens.length,
      max_model_len: 512,
      tokens,
      token_strs: null,
    });
    const named = await post("/tokenize", { prompt: "", return_token_strs: true });
    expect(named).toMatchObject({ count: 0, tokens: [], token_strs: [] });
  });

  it("come with their strings, and without special tokens, where that is asked for", async () => {
    const encoder = { model: "golden/bert-mean", prompt: "a cat", return_token_strs: true };
    const whole = (await post("/tokenize", encoder)) as { tokens: number[]; token_strs: string[] };
    expect([whole.token_strs[0], whole.token_strs.at(-1)]).toEqual(["[CLS]", "[SEP]"]);
    const bare = await post("/tokenize", { ...encoder, add_special_tokens: false });
    expect(bare).toMatchObject({ tokens: whole.tokens.slice(1, -1), count: whole.tokens.length - 2 });
  });

  it("of a conversation are as many as the usage of its answer says", async () => {
    const messages = [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
    ];
    const { count } = (await post("/tokenize", { messages })) as { count: number };
    const client = server().client();
    const answer = await client.chat.completions.create({
      model,
      messages: [
        { role: "system", content: "Be brief." },
        { role: "user", content: "Hi" },
      ],
      max_tokens: 1,
    });
    expect(count).toBe(answer.usage?.prompt_tokens);
  });

  it("become the text again, special ones too unless they are not wanted", async () => {
    expect(await post("/detokenize", { tokens })).toEqual({ prompt: text });
    expect(await post("/detokenize", { tokens: [] })).toEqual({ prompt: "" });
    const encoder = "golden/bert-mean";
    const { tokens: ids } = (await post("/tokenize", { model: encoder, prompt: "a cat" })) as {
      tokens: number[];
    };
    expect(await post("/detokenize", { model: encoder, tokens: ids })).toEqual({
      prompt: "[CLS] a cat [SEP]",
    });
    expect(await post("/detokenize", { model: encoder, tokens: ids, skip_special_tokens: true })).toEqual({
      prompt: "a cat",
    });
  });

  it("of the prompt are what a completion counts", async () => {
    const { usage } = await generate(server().engine, { model, prompt: text, raw: true, maxTokens: 1 });
    expect(usage.prompt_tokens).toBe(tokens.length);
  });

  it.each([
    ["neither text nor conversation", "/tokenize", {}, "prompt"],
    ["both", "/tokenize", { prompt: "a", messages: [{ role: "user", content: "b" }] }, "prompt"],
    [
      "a conversation for a model without a template",
      "/tokenize",
      { model: "golden/gpt2-bare", messages: [{ role: "user", content: "b" }] },
      "messages",
    ],
    [
      "tools without a conversation",
      "/tokenize",
      { prompt: "a", tools: [{ type: "function", function: { name: "f" } }] },
      "tools",
    ],
    [
      "an answer that is not opened",
      "/tokenize",
      { prompt: "a", add_generation_prompt: false },
      "add_generation_prompt",
    ],
    ["ids of another model", "/detokenize", { tokens: [1e9] }, "tokens"],
    ["ids below zero", "/detokenize", { tokens: [-1] }, "tokens[0]"],
    ["no ids", "/detokenize", {}, "tokens"],
  ])("are refused by name: %s", async (_what, path, body, param) => {
    const response = await server().post(path, { model, ...body });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param } });
  });
});

import assert from "node:assert/strict";
import test from "node:test";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

/** Vercel's AI SDK against a server of hfms, by its provider for compatible servers and by the one for OpenAI itself. */

const baseURL = process.env.HFMS_BASE_URL;
const compatible = createOpenAICompatible({
  name: "hfms",
  baseURL,
  includeUsage: true,
  supportsStructuredOutputs: true,
});
const original = createOpenAI({ baseURL, apiKey: "none" });
const name = process.env.HFMS_CHAT_MODEL;
const providers = {
  "openai-compatible": compatible(name),
  "openai, chat": original.chat(name),
  "openai, responses": original.responses(name),
};
const mood = z.object({ mood: z.enum(["good", "bad"]), count: z.int().min(0).max(9) });
const prompt = { system: "Be brief.", prompt: "The river runs", temperature: 0, maxRetries: 0 };
const add = tool({
  description: "Adds.",
  inputSchema: z.object({ a: z.literal([1, 2]), b: z.literal(3) }),
  execute: ({ a, b }) => a + b,
});

for (const [provider, model] of Object.entries(providers)) {
  const asked = { ...prompt, model };

  test(`${provider}: chat`, async () => {
    const { text, usage, finishReason } = await generateText({ ...asked, maxOutputTokens: 16 });
    assert.ok(text.length > 0);
    assert.ok(usage.outputTokens <= 16);
    assert.match(finishReason, /^(length|stop)$/);
  });

  test(`${provider}: stream`, async () => {
    const { text } = await generateText({ ...asked, maxOutputTokens: 16 });
    const streamed = streamText({ ...asked, maxOutputTokens: 16 });
    assert.equal((await Array.fromAsync(streamed.textStream)).join(""), text);
    assert.ok((await streamed.usage).outputTokens <= 16);
  });

  test(`${provider}: tools`, async () => {
    const tools = { tools: { add }, toolChoice: "required", stopWhen: stepCountIs(1) };
    const { toolCalls, toolResults } = await generateText({ ...asked, ...tools });
    assert.equal(toolCalls[0].input.b, 3);
    assert.ok([4, 5].includes(toolResults[0].output));
    const streamed = streamText({ ...asked, ...tools });
    await streamed.consumeStream();
    assert.deepEqual((await streamed.toolCalls)[0].input, toolCalls[0].input);
  });

  test(`${provider}: JSON schema`, async () => {
    const output = Output.object({ schema: mood });
    const whole = await generateText({ ...asked, output });
    assert.ok(mood.parse(whole.output));
    const streamed = streamText({ ...asked, output });
    assert.deepEqual(await streamed.output, whole.output);
  });
}

for (const [provider, model] of [
  ["openai-compatible", compatible.embeddingModel(process.env.HFMS_EMBED_MODEL)],
  ["openai", original.embedding(process.env.HFMS_EMBED_MODEL)],
]) {
  test(`${provider}: embeddings`, async () => {
    const { embeddings, usage } = await embedMany({ model, values: ["a cat", "a dog"], maxRetries: 0 });
    assert.equal(embeddings.length, 2);
    assert.equal(embeddings[0].length, embeddings[1].length);
    assert.ok(usage.tokens > 0);
  });
}

test("an error says what the server said", async () => {
  const asked = generateText({ ...prompt, model: compatible("no-such-model") });
  await assert.rejects(
    asked,
    (error) => APICallError.isInstance(error) && error.statusCode === 404 && !error.isRetryable,
  );
});

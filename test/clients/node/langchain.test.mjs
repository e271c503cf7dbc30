import assert from "node:assert/strict";
import test from "node:test";
import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { z } from "zod";

/** LangChain's classes for OpenAI against a server of hfms. */

const configuration = { baseURL: process.env.HFMS_BASE_URL };
const shared = { apiKey: "none", configuration, maxRetries: 0 };
const chat = (more) =>
  new ChatOpenAI({ ...shared, model: process.env.HFMS_CHAT_MODEL, temperature: 0, ...more });
const messages = [new SystemMessage("Be brief."), new HumanMessage("The river runs")];
const mood = z.object({ mood: z.enum(["good", "bad"]), count: z.int().min(0).max(9) });
const add = tool(({ a, b }) => String(a + b), {
  name: "add",
  description: "Adds.",
  schema: z.object({ a: z.literal([1, 2]), b: z.literal(3) }),
});

test("chat", async () => {
  const answer = await chat({ maxTokens: 8 }).invoke(messages);
  assert.equal(typeof answer.content, "string");
  assert.ok(answer.usage_metadata.output_tokens <= 8);
});

test("chat by responses", async () => {
  const answer = await chat({ maxTokens: 16, useResponsesApi: true }).invoke(messages);
  assert.ok(answer.text.length > 0);
});

test("stream", async () => {
  const whole = await chat({ maxTokens: 8 }).invoke(messages);
  const pieces = await Array.fromAsync(await chat({ maxTokens: 8 }).stream(messages));
  assert.equal(pieces.map(({ content }) => content).join(""), whole.content);
  assert.ok(pieces.length > 1);
});

test("tools", async () => {
  const bound = chat().bindTools([add], { tool_choice: "add", parallel_tool_calls: false });
  const answer = await bound.invoke(messages);
  const [call] = answer.tool_calls;
  assert.equal(call.args.b, 3);
  const result = await add.invoke(call);
  assert.ok(result instanceof ToolMessage);
  const next = await chat({ maxTokens: 8 }).invoke([...messages, answer, result]);
  assert.equal(typeof next.content, "string");
  let streamed;
  for await (const piece of await bound.stream(messages))
    streamed = streamed ? streamed.concat(piece) : piece;
  assert.deepEqual(streamed.tool_calls[0].args, call.args);
});

test("JSON schema", async () => {
  for (const method of ["jsonSchema", "functionCalling"]) {
    const answer = await chat().withStructuredOutput(mood, { method, name: "report" }).invoke(messages);
    assert.ok(mood.parse(answer), method);
  }
});

test("embeddings", async () => {
  const embeddings = new OpenAIEmbeddings({ ...shared, model: process.env.HFMS_EMBED_MODEL });
  const [one, other] = await embeddings.embedDocuments(["a cat", "a dog"]);
  assert.equal(one.length, other.length);
  assert.deepEqual((await embeddings.embedQuery("a cat")).length, one.length);
});

test("an abort ends the work", async () => {
  const leave = new AbortController();
  const asked = chat({ modelKwargs: { ignore_eos: true } }).stream(messages, { signal: leave.signal });
  await assert.rejects(async () => {
    for await (const _ of await asked) leave.abort();
  });
});

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type OpenAI from "openai";
import { LengthFinishReasonError } from "openai/core/error";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { serving, sharedServing } from "../serving.js";

/**
 * The official client of OpenAI against a server of hfms, models in processes of their own as `hfms serve` has them: one
 * line for each thing that the client knows how to do. What the answers say in detail is tested beside each operation.
 */
const server = sharedServing({ isolation: "process", config: { dtype: "fp32" } });
const api = () => server().client();

const model = "golden/llama-gqa";
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "The river runs" }];
const chat = { model, messages, max_completion_tokens: 6, temperature: 0 };
/** As the context allows. */
const long = { max_completion_tokens: null };
const mood = z.object({ mood: z.enum(["good", "bad"]), count: z.int().min(0).max(9) });
const add = {
  type: "function" as const,
  function: {
    name: "add",
    description: "Adds.",
    parameters: {
      type: "object",
      properties: { a: { enum: [1, 2] }, b: { enum: [3] } },
      required: ["a", "b"],
      additionalProperties: false,
    },
  },
};
const addIt = { type: "function" as const, function: { name: "add" } };

describe("chat.completions", () => {
  it("create", async () => {
    const answer = await api().chat.completions.create(chat);
    expect(answer).toMatchObject({ object: "chat.completion", model, usage: { completion_tokens: 6 } });
    expect(answer.choices[0]).toMatchObject({ message: { role: "assistant" }, finish_reason: "length" });
    expect(answer._request_id).toMatch(/^req_/);
  });

  it("create with stream, which is the same answer in pieces, and include_usage", async () => {
    const whole = await api().chat.completions.create(chat);
    const options = { stream: true, stream_options: { include_usage: true } } as const;
    const chunks = await Array.fromAsync(await api().chat.completions.create({ ...chat, ...options }));
    const pieces = chunks.map(({ choices }) => choices[0]?.delta.content ?? "");
    expect(pieces.join("")).toBe(whole.choices[0].message.content);
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 6 } });
  });

  it("stream, whose helper hears every event and has the whole answer", async () => {
    const heard: string[] = [];
    const stream = api().chat.completions.stream({ ...chat, logprobs: true, top_logprobs: 1 });
    for (const event of ["connect", "chunk", "content", "logprobs.content.delta", "content.done"] as const)
      stream.on(event, () => heard.push(event));
    const answer = await stream.finalChatCompletion();
    expect(new Set(heard)).toEqual(
      new Set(["connect", "chunk", "content", "logprobs.content.delta", "content.done"]),
    );
    expect(answer.choices[0].message.content).toBe(await stream.finalContent());
    expect(answer.choices[0].logprobs?.content).toHaveLength(6);
  });

  it("toReadableStream, which goes through another server to the client's fromReadableStream", async () => {
    const { ChatCompletionStream } = await import("openai/lib/ChatCompletionStream");
    const passed = api().chat.completions.stream(chat).toReadableStream();
    const { choices } = await ChatCompletionStream.fromReadableStream(passed).finalChatCompletion();
    expect(choices[0].finish_reason).toBe("length");
  });

  it("tools: a call, its result, and the answer to that", async () => {
    const asked = { ...chat, ...long, tools: [add], tool_choice: addIt };
    const { choices } = await api().chat.completions.create(asked);
    const call = choices[0].message.tool_calls![0] as OpenAI.ChatCompletionMessageFunctionToolCall;
    expect(choices[0].finish_reason).toBe("tool_calls");
    expect(JSON.parse(call.function.arguments)).toMatchObject({ b: 3 });
    const result = { role: "tool" as const, tool_call_id: call.id, content: "4" };
    const next = await api().chat.completions.create({
      ...chat,
      messages: [...messages, choices[0].message, result],
    });
    expect(next.choices[0].message.content).toEqual(expect.any(String));
  });

  it.each([false, true])("runTools calls the function itself (stream: %s)", async (stream) => {
    const sums: number[] = [];
    const tool = {
      ...add,
      function: {
        ...add.function,
        parse: JSON.parse,
        function: ({ a, b }: { a: number; b: number }) => String(sums.push(a + b)),
      },
    };
    const asked = { ...chat, ...long, tools: [tool], tool_choice: addIt, stream };
    const runner = api().chat.completions.runTools(
      asked as Parameters<OpenAI["chat"]["completions"]["runTools"]>[0],
    );
    expect(await runner.finalFunctionToolCallResult()).toBe("1");
    expect([4, 5]).toContain(sums[0]);
  });

  it("parse and stream, with a schema of zod", async () => {
    const asked = { ...chat, max_completion_tokens: 200, response_format: zodResponseFormat(mood, "report") };
    const { choices } = await api().chat.completions.parse(asked);
    expect(mood.parse(choices[0].message.parsed)).toBeDefined();
    const streamed = await api().chat.completions.stream(asked).finalChatCompletion();
    expect(streamed.choices[0].message.parsed).toEqual(choices[0].message.parsed);
  });

  it("parse, which throws where the answer was cut", async () => {
    const cut = { ...chat, max_completion_tokens: 1, response_format: zodResponseFormat(mood, "report") };
    await expect(api().chat.completions.parse(cut)).rejects.toBeInstanceOf(LengthFinishReasonError);
  });

  it("n, seed, stop, logprobs and logit_bias", async () => {
    const drawn = { ...chat, n: 2, seed: 7, temperature: 1, logprobs: true, top_logprobs: 3 };
    const [one, again] = [
      await api().chat.completions.create(drawn),
      await api().chat.completions.create(drawn),
    ];
    expect(one.choices.map(({ message }) => message)).toEqual(again.choices.map(({ message }) => message));
    expect(one.choices[1].logprobs?.content?.[0].top_logprobs).toHaveLength(3);
    const text = (await api().chat.completions.create(chat)).choices[0].message.content!;
    const stopped = await api().chat.completions.create({ ...chat, stop: text.slice(1, 3) });
    expect(stopped.choices[0]).toMatchObject({ finish_reason: "stop" });
    expect(text.startsWith(stopped.choices[0].message.content!)).toBe(true);
    const biased = await api().chat.completions.create({ ...chat, logit_bias: { 40: 100 } });
    expect(biased.choices[0].message.content).not.toBe(text);
  });
});

it("completions, whole and streamed, of several prompts", async () => {
  const asked = { model, prompt: ["The river", "A mountain"], max_tokens: 5, temperature: 0, logprobs: 1 };
  const whole = await api().completions.create(asked);
  expect(whole.choices.map(({ index }) => index)).toEqual([0, 1]);
  const texts = ["", ""];
  for await (const { choices } of await api().completions.create({ ...asked, stream: true }))
    for (const { index, text } of choices) texts[index] += text;
  expect(texts).toEqual(whole.choices.map(({ text }) => text));
});

it("embeddings, which the client asks for in base64 by itself, are the same in numbers", async () => {
  const asked = { model: "golden/bert-mean", input: ["a cat", "a dog"] };
  const packed = await api().embeddings.create(asked);
  const plain = await api().embeddings.create({ ...asked, encoding_format: "float" });
  expect(packed.data.map(({ index }) => index)).toEqual([0, 1]);
  packed.data.forEach(({ embedding }, i) => {
    expect(embedding.length).toBe(plain.data[i].embedding.length);
    for (const [at, value] of embedding.entries()) expect(value).toBeCloseTo(plain.data[i].embedding[at], 6);
  });
  expect(packed.usage.prompt_tokens).toBeGreaterThan(0);
});

it("models: a list, one of them with the slash raw and encoded, and its unloading", async () => {
  await api().chat.completions.create(chat);
  const listed = await Array.fromAsync(api().models.list());
  expect(listed.map(({ id }) => id)).toContain(model);
  // The client encodes the slash.
  const one = await api().models.retrieve(model);
  expect(one).toMatchObject({ id: model, object: "model", status: "loaded" });
  expect(await api().get(`/models/${model}`)).toEqual(one);
  await expect(api().models.retrieve("golden/none")).rejects.toMatchObject({ code: "model_not_found" });
  expect(await api().models.delete(model)).toMatchObject({ id: model, object: "model", deleted: true });
  expect(await api().models.retrieve(model)).toMatchObject({ status: "available" });
});

describe("responses", () => {
  const asked = { model, input: "The river runs", max_output_tokens: 6, temperature: 0 };

  it("create, whole and streamed", async () => {
    const whole = await api().responses.create(asked);
    expect(whole).toMatchObject({ object: "response", status: "incomplete", usage: { output_tokens: 6 } });
    let text = "";
    for await (const event of await api().responses.create({ ...asked, stream: true }))
      if (event.type === "response.output_text.delta") text += event.delta;
    expect(text).toBe(whole.output_text);
  });

  it("parse and stream, with a schema of zod and with a tool", async () => {
    const shaped = { ...asked, max_output_tokens: 200, text: { format: zodTextFormat(mood, "report") } };
    const whole = await api().responses.parse(shaped);
    expect(mood.parse(whole.output_parsed)).toBeDefined();
    const streamed = await api().responses.stream(shaped).finalResponse();
    expect(streamed.output_parsed).toEqual(whole.output_parsed);
    const tool = { type: "function" as const, strict: true, ...add.function };
    const called = await api().responses.create({
      ...asked,
      max_output_tokens: null,
      tools: [tool],
      tool_choice: "required",
      parallel_tool_calls: false,
    });
    expect(called.output).toMatchObject([{ type: "function_call", name: "add" }]);
  });
});

it("moderations", async () => {
  const { results } = await api().moderations.create({
    model: "golden/bert-classes",
    input: ["a cat", "a dog"],
  });
  expect(results).toHaveLength(2);
  expect(typeof results[0].flagged).toBe("boolean");
});

it("many requests, of which a client keeps its connections", async () => {
  const opened: unknown[] = [];
  const count = (event: unknown) => opened.push(event);
  await using own = await serving();
  subscribe("net.server.socket", count);
  try {
    const client = own.client();
    for (let i = 0; i < 50; i++)
      await client.embeddings.create({ model: "golden/bert-mean", input: `text ${i}` });
  } finally {
    unsubscribe("net.server.socket", count);
  }
  // Node's fetch opens a second one when it is asked again in the same instant.
  expect(opened.length).toBeLessThanOrEqual(2);
});

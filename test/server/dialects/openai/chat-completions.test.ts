import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { reasoningServing } from "../../reasoning-model.js";
import { serving, sharedServing } from "../../serving.js";

const model = "golden/llama-gqa";
const server = sharedServing({ config: { dtype: "fp32" } });
const messages = [{ role: "user", content: "The river runs" }] as const;
const least = { model, messages: [...messages], max_completion_tokens: 8, temperature: 0 };

const create = (more: object = {}): Promise<OpenAI.ChatCompletion> =>
  server()
    .client()
    .chat.completions.create({ ...least, ...more });
const stream = (more: object = {}) =>
  server()
    .client()
    .chat.completions.stream({ ...least, ...more } as never);

describe("a chat completion", () => {
  it("is what the original's client expects", async () => {
    const answer = await create();
    expect(answer).toEqual({
      id: expect.stringMatching(/^chatcmpl-\w{32}$/),
      object: "chat.completion",
      created: expect.closeTo(Date.now() / 1000, -2),
      model,
      system_fingerprint: "hfms-fp32-00000000",
      choices: [
        {
          index: 0,
          message: { role: "assistant", content: expect.any(String), refusal: null, annotations: [] },
          logprobs: null,
          finish_reason: "length",
        },
      ],
      usage: {
        prompt_tokens: expect.any(Number),
        completion_tokens: 8,
        total_tokens: answer.usage!.prompt_tokens + 8,
        prompt_tokens_details: { cached_tokens: expect.any(Number) },
        completion_tokens_details: expect.objectContaining({ reasoning_tokens: 0 }),
      },
    });
  });

  it("is what the engine says to the same conversation", async () => {
    const system = "Be brief.";
    const said = await create({ messages: [{ role: "developer", content: system }, ...messages] });
    for await (const event of server().engine.generate({
      model,
      dtype: "fp32",
      prompt: [
        { role: "system", content: system },
        { role: "user", content: messages[0].content },
      ],
      maxTokens: 8,
      temperature: 0,
    })) {
      if (event.type !== "done") continue;
      expect(said.choices[0].message.content).toBe(event.text);
      expect(said.usage).toMatchObject({
        prompt_tokens: event.usage.prompt_tokens,
        completion_tokens: event.usage.completion_tokens,
      });
    }
  });

  it("comes in pieces that make the same answer", async () => {
    const whole = await create({ logprobs: true, top_logprobs: 2, seed: 1 });
    const events = stream({ logprobs: true, top_logprobs: 2, seed: 1 });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of events) chunks.push(chunk);
    expect(new Set(chunks.map(({ id, created, object }) => `${id} ${created} ${object}`)).size).toBe(1);
    const { choices } = await events.finalChatCompletion();
    expect(choices[0].message.content).toBe(whole.choices[0].message.content);
    expect(choices[0].logprobs?.content).toEqual(whole.choices[0].logprobs?.content);
    expect(choices[0].finish_reason).toBe("length");
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  it("streams as events with the usage at the end, where that is asked for", async () => {
    const body = { ...least, stream: true, stream_options: { include_usage: true } };
    const response = await server().post("/v1/chat/completions", body);
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const lines = (await response.text()).split("\n\n").filter(Boolean);
    expect(lines.at(-1)).toBe("data: [DONE]");
    const chunks = lines.slice(0, -1).map((line) => JSON.parse(line.slice("data: ".length)));
    expect(chunks[0].choices[0].delta).toEqual({ role: "assistant", content: "" });
    expect(chunks.at(-2).choices[0]).toMatchObject({ delta: {}, finish_reason: "length" });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: 8 } });
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
  });

  it("has several answers, streamed or not, and the same ones for the same seed", async () => {
    const drawn = { n: 3, temperature: 1, seed: 11 };
    const whole = await create(drawn);
    const again = await create(drawn);
    const other = await create({ ...drawn, seed: 12 });
    const texts = ({ choices }: OpenAI.ChatCompletion) => choices.map(({ message }) => message.content);
    expect(whole.choices.map(({ index }) => index)).toEqual([0, 1, 2]);
    expect(texts(again)).toEqual(texts(whole));
    expect(texts(other)).not.toEqual(texts(whole));
    expect(texts(await stream(drawn).finalChatCompletion())).toEqual(texts(whole));
    expect(whole.usage?.completion_tokens).toBe(24);
  });

  it("ends before a stop string, and says which", async () => {
    const { content } = (await create()).choices[0].message;
    const stop = content!.slice(2, 4);
    const [choice] = (await create({ stop: ["never to be found", stop] })).choices;
    expect(choice).toMatchObject({ finish_reason: "stop", stop_reason: stop });
    expect(choice.message.content).toBe(content!.slice(0, content!.indexOf(stop)));
  });

  it("has the log probabilities of its tokens, their texts and bytes", async () => {
    const [{ message, logprobs }] = (await create({ logprobs: true, top_logprobs: 2 })).choices;
    const content = logprobs!.content!;
    expect(content.length).toBe(8);
    const bytes = Buffer.from(content.flatMap((token) => token.bytes!));
    expect(bytes.toString("utf8")).toBe(message.content);
    for (const { token, logprob, top_logprobs: top } of content) {
      expect(top).toHaveLength(2);
      // Greedy: the likeliest was taken.
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top[1].logprob).toBeLessThanOrEqual(logprob);
    }
  });
});

describe("tools", () => {
  const add = {
    type: "function" as const,
    function: {
      name: "add",
      parameters: {
        type: "object",
        properties: { a: { enum: ["x", "y"] } },
        required: ["a"],
        additionalProperties: false,
      },
    },
  };
  const required = {
    tools: [add],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_completion_tokens: undefined,
  };

  it("are called where a call is required, with arguments of their schema", async () => {
    const [{ message, finish_reason }] = (await create(required)).choices;
    expect(finish_reason).toBe("tool_calls");
    expect(message.content).toBeNull();
    const [call] = message.tool_calls!;
    expect(call).toMatchObject({ id: expect.stringMatching(/^\w+$/), type: "function" });
    const { name, arguments: json } = (call as OpenAI.ChatCompletionMessageFunctionToolCall).function;
    expect(name).toBe("add");
    expect(JSON.parse(json)).toEqual({ a: expect.stringMatching(/^[xy]$/) });
  });

  it("come as a name and fragments, and their results go back", async () => {
    const choice = { type: "function", function: { name: "add" } };
    const asked = { ...required, tool_choice: choice };
    const { choices } = await stream(asked).finalChatCompletion();
    const { message } = choices[0];
    const [call] = message.tool_calls as OpenAI.ChatCompletionMessageFunctionToolCall[];
    expect(JSON.parse(call.function.arguments)).toHaveProperty("a");
    const result = { role: "tool", tool_call_id: call.id, content: "7" };
    const next = await create({ messages: [...messages, message, result] });
    expect(next.choices[0].message.content).toEqual(expect.any(String));
  });

  it("that the model knows nothing of are refused, unless a call is required", async () => {
    await expect(create({ tools: [add] })).rejects.toMatchObject({ status: 400, param: "tools" });
  });
});

describe("structured output", () => {
  it("keeps to a schema, and the client parses it", async () => {
    const schema = z.object({ mood: z.enum(["good", "bad"]), count: z.number().int().min(0).max(99) });
    const format = zodResponseFormat(schema, "report");
    const answer = await server()
      .client()
      .chat.completions.parse({ ...least, max_completion_tokens: 60, response_format: format });
    expect(schema.parse(answer.choices[0].message.parsed)).toBeDefined();
    expect(answer.choices[0].finish_reason).toBe("stop");
  });

  it("is one of some choices, or what an expression matches, as vLLM asks for it", async () => {
    const text = async (more: object) => (await create(more)).choices[0].message.content;
    expect(await text({ guided_choice: ["north", "south"] })).toMatch(/^(north|south)$/);
    expect(await text({ structured_outputs: { regex: "[0-9]{3}" } })).toMatch(/^\d{3}$/);
    const empty = { type: "json_object", schema: { type: "object", maxProperties: 0 } };
    expect(JSON.parse((await text({ response_format: empty }))!)).toEqual({});
  });

  it("that can't be kept to is refused with the field that asked for it", async () => {
    const schema = { type: "object", properties: { a: { $ref: "https://example.com/schema" } } };
    const format = { type: "json_schema", json_schema: { name: "a", schema } };
    await expect(create({ response_format: format })).rejects.toMatchObject({
      status: 400,
      param: "response_format",
      message: expect.stringContaining("/properties/a/$ref"),
    });
    await expect(create({ guided_regex: "(" })).rejects.toMatchObject({ param: "guided_regex" });
  });
});

describe("what is refused", () => {
  it.each([
    [{ temperature: 3 }, OpenAI.BadRequestError, "temperature", null],
    [{ messages: [] }, OpenAI.BadRequestError, "messages", null],
    [{ n: 100 }, OpenAI.BadRequestError, "n", null],
    [{ audio: { voice: "alloy", format: "wav" } }, OpenAI.BadRequestError, "audio", null],
    [{ reasoning_effort: "high" }, OpenAI.BadRequestError, "reasoning_effort", null],
    [
      { messages: [{ role: "user", content: "word ".repeat(2000) }] },
      OpenAI.BadRequestError,
      "messages",
      "context_length_exceeded",
    ],
    [
      { max_completion_tokens: 5000 },
      OpenAI.BadRequestError,
      "max_completion_tokens",
      "context_length_exceeded",
    ],
    [
      { max_completion_tokens: undefined, max_tokens: 5000 },
      OpenAI.BadRequestError,
      "max_tokens",
      "context_length_exceeded",
    ],
    [{ model: "no-such-model" }, OpenAI.NotFoundError, "model", "model_not_found"],
    [{ model: "golden/gpt2-bare" }, OpenAI.BadRequestError, "messages", null],
    [{ model: "golden/bert-mean" }, OpenAI.BadRequestError, "model", "unsupported_task"],
  ])("is an error of the client's own classes, streamed or not: %j", async (more, type, param, code) => {
    for (const streamed of [false, true]) {
      const error = await create({ ...more, stream: streamed }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ param, code, type: "invalid_request_error" });
    }
  });

  it("is a conversation longer than the server allows", async () => {
    await using small = await serving({ config: { maxItems: 2 } });
    const many = small.client().chat.completions.create({
      ...least,
      messages: [...messages, ...messages, ...messages],
    });
    await expect(many).rejects.toMatchObject({ status: 400, param: "messages" });
  });
});

describe("a client that leaves", () => {
  it("ends the work", async () => {
    const { activities } = server().running.server.context;
    const left = stream({ max_completion_tokens: 400, ignore_eos: true });
    for await (const _ of left) break;
    await activities.idle();
    const waiting = new AbortController();
    const answer = server()
      .client()
      .chat.completions.create({ ...least, max_completion_tokens: 400, ignore_eos: true } as typeof least, {
        signal: waiting.signal,
      });
    answer.catch(() => {});
    while (!activities.active.some(({ state }) => state === "answering"))
      await new Promise((resolve) => setTimeout(resolve, 1));
    waiting.abort();
    await expect(answer).rejects.toBeInstanceOf(OpenAI.APIUserAbortError);
    await activities.idle();
    expect(activities.active).toEqual([]);
  });
});

it("an error in the middle of a stream is thrown by the client", async () => {
  await using own = await serving();
  const { lifecycle } = own.running.server.context;
  const answer = await own
    .client()
    .chat.completions.create({ ...least, max_completion_tokens: 400, stream: true });
  const read = async () => {
    for await (const _ of answer) void lifecycle.stop();
  };
  await expect(read()).rejects.toMatchObject({
    error: { message: expect.stringContaining("the server stops") },
  });
});

describe("a model that reasons", () => {
  const reasoning = reasoningServing();
  const ask = (more: object = {}) => {
    const { server, model } = reasoning();
    return server.client().chat.completions.create({ ...least, model, ...more } as typeof least);
  };

  it("has its reasoning beside the answer, streamed or not", async () => {
    const { choices, usage } = await ask();
    const { content, reasoning_content: thought } = choices[0].message as { content: string } & Thought;
    expect(content).toBe("");
    expect(thought).toEqual(expect.stringMatching(/./s));
    expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(8);
    let streamed = "";
    const chunks = (await ask({ stream: true })) as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>;
    for await (const { choices } of chunks) streamed += (choices[0].delta as Thought).reasoning_content ?? "";
    expect(streamed).toBe(thought);
  });

  it("can be told not to", async () => {
    for (const more of [{ reasoning_effort: "none" }, { chat_template_kwargs: { enable_thinking: false } }]) {
      const { choices, usage } = await ask(more);
      expect(choices[0].message).not.toHaveProperty("reasoning_content");
      expect(choices[0].message.content).not.toBe("");
      expect(usage?.completion_tokens_details?.reasoning_tokens).toBe(0);
    }
  });
});

interface Thought {
  reasoning_content?: string;
}

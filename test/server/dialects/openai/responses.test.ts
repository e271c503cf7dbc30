import OpenAI from "openai";
import { zodResponsesFunction, zodTextFormat } from "openai/helpers/zod";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { collect } from "../../../tiny-model.js";
import { serving, sharedServing } from "../../serving.js";

type Params = OpenAI.Responses.ResponseCreateParamsNonStreaming;

const model = "golden/llama-gqa";
const server = sharedServing({ config: { dtype: "fp32" } });
const least = { model, input: "The river runs", max_output_tokens: 8, temperature: 0 };
/** Ends by itself: the shortest words that fit are all that the model can say. */
const colour = z.object({ colour: z.enum(["red", "green"]) });
const paint = { ...least, max_output_tokens: 100, text: { format: zodTextFormat(colour, "paint") } };
/** The model's context is small. */
const weather = zodResponsesFunction({ name: "f", parameters: z.object({ at: z.enum(["a", "b"]) }) });

const create = (more: object = {}) =>
  server()
    .client()
    .responses.create({ ...least, ...more } as Params);
const stream = (more: object = {}) =>
  server()
    .client()
    .responses.stream({ ...least, ...more } as typeof least);

const texts = (response: OpenAI.Responses.Response) =>
  response.output.map((item) => ("content" in item ? item.content : item.type));

describe("a response", () => {
  it("is what the original's client expects", async () => {
    const response = await create({ metadata: { a: "b" } });
    expect(response).toEqual({
      id: expect.stringMatching(/^resp_\w{32}$/),
      object: "response",
      created_at: expect.closeTo(Date.now() / 1000, -2),
      completed_at: null,
      status: "incomplete",
      error: null,
      incomplete_details: { reason: "max_output_tokens" },
      model,
      output: [
        {
          type: "message",
          id: expect.stringMatching(/^msg_\w{32}$/),
          role: "assistant",
          status: "incomplete",
          content: [
            { type: "output_text", text: expect.stringMatching(/./s), annotations: [], logprobs: [] },
          ],
        },
      ],
      output_text: expect.stringMatching(/./s),
      usage: {
        input_tokens: expect.any(Number),
        input_tokens_details: { cached_tokens: expect.any(Number), cache_write_tokens: 0 },
        output_tokens: 8,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: response.usage!.input_tokens + 8,
      },
      instructions: null,
      max_output_tokens: 8,
      max_tool_calls: null,
      parallel_tool_calls: true,
      previous_response_id: null,
      reasoning: { effort: null, summary: null },
      store: false,
      background: false,
      temperature: 0,
      top_p: null,
      text: { format: { type: "text" }, verbosity: "medium" },
      tool_choice: "auto",
      tools: [],
      top_logprobs: 0,
      truncation: "disabled",
      metadata: { a: "b" },
      service_tier: "default",
      access_programs: null,
    });
  });

  it("says what chat completions say to the same conversation", async () => {
    const instructions = "Be brief.";
    const response = await create({ instructions });
    const chat = await server()
      .client()
      .chat.completions.create({
        model,
        messages: [
          { role: "system", content: instructions },
          { role: "user", content: least.input },
        ],
        max_completion_tokens: 8,
        temperature: 0,
      });
    expect(response.output_text).toBe(chat.choices[0].message.content);
    expect(response.usage!.input_tokens).toBe(chat.usage!.prompt_tokens);
  });

  it("takes its own output back as input", async () => {
    const first = await create();
    const question = { role: "user" as const, content: "Where to?" };
    const again = await create({
      input: [{ role: "user", content: least.input }, ...first.output, question],
    });
    const alone = await create({
      input: [
        { role: "user", content: least.input },
        { role: "assistant", content: first.output_text },
        question,
      ],
    });
    expect(again.output_text).toBe(alone.output_text);
    expect(again.usage!.input_tokens).toBeGreaterThan(first.usage!.input_tokens);
  });

  it("is complete where the answer ends by itself", async () => {
    const response = await create({ ...paint });
    expect(response).toMatchObject({
      status: "completed",
      incomplete_details: null,
      completed_at: expect.any(Number),
    });
    expect(response.output.map(({ type, ...item }) => [type, "status" in item && item.status])).toEqual([
      ["message", "completed"],
    ]);
  });

  it("has log probabilities where they are included", async () => {
    const include = ["message.output_text.logprobs"];
    const response = await create({ include, top_logprobs: 2 });
    const [message] = response.output as OpenAI.Responses.ResponseOutputMessage[];
    const [part] = message.content as OpenAI.Responses.ResponseOutputText[];
    expect(part.logprobs).toHaveLength(8);
    for (const { token, logprob, bytes, top_logprobs } of part.logprobs!) {
      expect(top_logprobs).toHaveLength(2);
      expect(top_logprobs[0]).toEqual({ token, logprob, bytes });
    }
    const streamed = await collect(stream({ include, top_logprobs: 2 }));
    const deltas = streamed.filter((event) => event.type === "response.output_text.delta");
    expect(deltas.flatMap(({ logprobs }) => logprobs)).toEqual(part.logprobs);
  });
});

describe("a stream of a response", () => {
  it("is the same response in named events", async () => {
    const whole = await create();
    const raw = await server().post("/v1/responses", { ...least, stream: true });
    expect(raw.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    const blocks = (await raw.text()).split("\n\n").filter((block) => block !== "");
    const events = blocks.map((block) => /^event: (.+)\ndata: (.+)$/.exec(block)!.slice(1));
    expect(events.map(([name]) => name)).toEqual(events.map(([, data]) => JSON.parse(data).type));
    const names = events.map(([name]) => name);
    expect(names.filter((name) => !name.endsWith(".delta"))).toEqual([
      "response.created",
      "response.in_progress",
      "response.output_item.added",
      "response.content_part.added",
      "response.output_text.done",
      "response.content_part.done",
      "response.output_item.done",
      "response.incomplete",
    ]);
    const { response } = JSON.parse(events.at(-1)![1]);
    expect(texts(response)).toEqual(texts(whole));
    expect(response.usage).toMatchObject({ output_tokens: 8 });
  });

  it("is put together by the client's helper", async () => {
    const helper = stream();
    let text = "";
    helper.on("response.output_text.delta", ({ delta, snapshot }) => {
      text += delta;
      expect(snapshot).toBe(text);
    });
    const response = await helper.finalResponse();
    expect(response.output_text).toBe(text);
    expect(response).toMatchObject({ status: "incomplete", usage: { output_tokens: 8 } });
  });
});

describe("tools", () => {
  const question = { role: "user" as const, content: "Hi" };
  const asking = {
    input: [question],
    tools: [weather],
    tool_choice: "required",
    parallel_tool_calls: false,
    max_output_tokens: undefined,
  };

  it("that are required are called, with arguments that fit", async () => {
    const response = await create(asking);
    expect(response.status).toBe("completed");
    const [item] = response.output as OpenAI.Responses.ResponseFunctionToolCall[];
    expect(response.output).toEqual([
      {
        type: "function_call",
        id: expect.stringMatching(/^fc_/),
        call_id: expect.stringMatching(/^call_/),
        name: "f",
        arguments: expect.any(String),
        status: "completed",
      },
    ]);
    expect(["a", "b"]).toContain(JSON.parse(item.arguments).at);
    expect(response.tools).toEqual([
      {
        type: "function",
        name: "f",
        description: null,
        parameters: weather.parameters,
        strict: true,
      },
    ]);
  });

  it("are called in streams, and their results read", async () => {
    const helper = stream(asking);
    let json = "";
    helper.on("response.function_call_arguments.delta", ({ delta, snapshot }) => {
      json += delta;
      expect(snapshot).toBe(json);
    });
    const { output } = await helper.finalResponse();
    const [item] = output as OpenAI.Responses.ResponseFunctionToolCall[];
    expect(item.arguments).toBe(json);
    const result = { type: "function_call_output", call_id: item.call_id, output: "x" };
    const input = [question, { ...item, parsed_arguments: undefined }, result];
    const before = await create({ input: [question], max_output_tokens: 4 });
    const answer = await create({ input, max_output_tokens: 4 });
    expect(answer.usage!.input_tokens).toBeGreaterThan(before.usage!.input_tokens);
  });

  it("are parsed by the client", async () => {
    const response = await server()
      .client()
      .responses.parse({ ...least, ...asking } as never);
    const [item] = response.output as unknown as { parsed_arguments: { at: string } }[];
    expect(["a", "b"]).toContain(item.parsed_arguments.at);
  });

  it("that must not be called are not", async () => {
    const response = await create({ ...asking, tool_choice: "none", max_output_tokens: 8 });
    expect(response.output.map(({ type }) => type)).toEqual(["message"]);
  });
});

describe("a schema", () => {
  it("is kept to, and parsed by the client", async () => {
    const response = await server().client().responses.parse(paint);
    expect(["red", "green"]).toContain(response.output_parsed!.colour);
    const streamed = await server().client().responses.stream(paint).finalResponse();
    expect(streamed.output_parsed).toEqual(response.output_parsed);
  });

  it("that can't be kept to is refused by name", async () => {
    const schema = { type: "object", properties: { a: { $ref: "https://example.com/a" } } };
    await expect(
      create({ text: { format: { type: "json_schema", name: "a", schema } } }),
    ).rejects.toMatchObject({ status: 400, param: "text.format" });
  });
});

describe("what is refused", () => {
  it.each<[object, new (...given: never) => Error, string, string | null]>([
    [{ temperature: 3 }, OpenAI.BadRequestError, "temperature", null],
    [{ input: [] }, OpenAI.BadRequestError, "input", null],
    [{ store: true }, OpenAI.BadRequestError, "store", null],
    [{ previous_response_id: "resp_1" }, OpenAI.BadRequestError, "previous_response_id", null],
    [{ tools: [{ type: "web_search" }] }, OpenAI.BadRequestError, "tools[0].type", null],
    [{ reasoning: { effort: "high" } }, OpenAI.BadRequestError, "reasoning.effort", null],
    [{ max_output_tokens: 5000 }, OpenAI.BadRequestError, "max_output_tokens", "context_length_exceeded"],
    [
      {
        input: [
          { type: "function_call", call_id: "c", name: "f", arguments: "{" },
          { role: "user", content: "hi" },
        ],
      },
      OpenAI.BadRequestError,
      "input",
      null,
    ],
    [{ model: "no-such-model" }, OpenAI.NotFoundError, "model", "model_not_found"],
    [{ model: "golden/gpt2-bare" }, OpenAI.BadRequestError, "input", null],
    [{ model: "golden/bert-mean" }, OpenAI.BadRequestError, "model", "unsupported_task"],
  ])("is an error of the client's own classes, streamed or not: %j", async (more, type, param, code) => {
    for (const streamed of [false, true]) {
      const error = await create({ ...more, stream: streamed }).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(type);
      expect(error).toMatchObject({ param, code, type: "invalid_request_error" });
    }
  });

  it("is what is longer than the model's context", async () => {
    for (const streamed of [false, true]) {
      const long = create({ input: "word ".repeat(2000), stream: streamed });
      await expect(long).rejects.toMatchObject({
        status: 400,
        param: "input",
        code: "context_length_exceeded",
      });
    }
  });

  it("is a conversation longer than the server allows", async () => {
    await using small = await serving({ config: { maxItems: 2 } });
    const input = ["a", "b", "c"].map((content) => ({ role: "user" as const, content }));
    const many = small.client().responses.create({ ...least, input });
    await expect(many).rejects.toMatchObject({ status: 400, param: "input" });
  });

  it("is whatever needs a stored response", async () => {
    const { responses } = server().client();
    const id = (await create()).id;
    for (const asked of [
      () => responses.retrieve(id),
      () => responses.delete(id),
      () => responses.cancel(id),
      () => responses.inputItems.list(id),
    ]) {
      const error = await asked().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(OpenAI.NotFoundError);
      expect(error).toMatchObject({ param: "id", message: expect.stringContaining(id) });
    }
  });
});

describe("a client that leaves", () => {
  it("ends the work", async () => {
    const { activities } = server().running.server.context;
    for await (const _ of stream({ max_output_tokens: 400, ignore_eos: true })) break;
    await activities.idle();
    expect(activities.active).toEqual([]);
  });
});

describe("an error in the middle of a stream", () => {
  it("is a failed response with what there was, and then thrown by the client", async () => {
    await using own = await serving();
    const { lifecycle } = own.running.server.context;
    const events: OpenAI.Responses.ResponseStreamEvent[] = [];
    const read = async () => {
      const long = { ...least, max_output_tokens: 400, stream: true as const };
      for await (const event of await own.client().responses.create(long)) {
        events.push(event);
        if (event.type === "response.output_text.delta") void lifecycle.stop();
      }
    };
    const message = expect.stringContaining("the server stops");
    await expect(read()).rejects.toMatchObject({ code: "overloaded", message });
    expect(events.at(-1)).toMatchObject({
      type: "response.failed",
      response: { status: "failed", error: { code: "server_error", message } },
    });
    const { response } = events.at(-1) as OpenAI.Responses.ResponseFailedEvent;
    const deltas = events.map((event) => (event.type === "response.output_text.delta" ? event.delta : ""));
    expect(response.output_text).toBe(deltas.join(""));
  });
});

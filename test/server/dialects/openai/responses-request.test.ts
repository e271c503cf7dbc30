import { describe, expect, it } from "vitest";
import { newResponse } from "../../../../src/server/dialects/openai/responses/response.js";
import { responseObject } from "../../../../src/server/dialects/openai/responses/response-schemas.js";
import {
  type ResponseRequest,
  responseRequest,
} from "../../../../src/server/dialects/openai/responses/schemas.js";
import { generateRequest } from "../../../../src/server/dialects/openai/responses/translate.js";
import { invalidBody } from "../../../../src/server/middleware/body.js";
import fc from "../../../property.js";

const least = { model: "m", input: "hi" };
const parsed = (more: object = {}): ResponseRequest => responseRequest.parse({ ...least, ...more });
const asked = (more: object = {}) => generateRequest(parsed(more), { model: "m" });
const refusal = (more: object) => {
  const { error } = responseRequest.safeParse({ ...least, ...more });
  return error && invalidBody(error);
};
const conversation = (...input: object[]) => asked({ input }).prompt;
const user = { role: "user", content: "hi" };
const tool = (name: string, more: object = {}) => ({ type: "function", name, ...more });
const call = (call_id: string, name: string, json: string) => ({
  type: "function_call",
  id: `fc_${call_id}`,
  call_id,
  name,
  arguments: json,
  status: "completed",
});
const result = (call_id: string, output: unknown) => ({ type: "function_call_output", call_id, output });

describe("the least request", () => {
  it("asks for nothing but an answer", () => {
    expect(asked()).toEqual({ model: "m", prompt: [user] });
  });

  it("stays the same where every other field is null or unknown", () => {
    const empty = Object.fromEntries(Object.keys(responseRequest.shape).map((field) => [field, null]));
    const body = responseRequest.parse({ ...empty, ...least, dance: true });
    expect(generateRequest(body, { model: "m" })).toEqual(asked());
    expect({ ...newResponse(body, 1), id: "" }).toEqual({ ...newResponse(parsed(), 1), id: "" });
  });
});

describe("input", () => {
  it("is a conversation, with the instructions in front", () => {
    expect(asked({ instructions: "Be kind." }).prompt).toEqual([
      { role: "system", content: "Be kind." },
      user,
    ]);
    expect(
      conversation(
        { role: "developer", content: "Be kind." },
        { type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] },
        { role: "assistant", content: "hello" },
        { role: "user", content: "bye" },
      ),
    ).toEqual([
      { role: "system", content: "Be kind." },
      user,
      { role: "assistant", content: "hello" },
      { role: "user", content: "bye" },
    ]);
  });

  it("has one system message where instructions and the first item are two", () => {
    const input = [{ role: "system", content: "Be brief." }, user, { role: "system", content: "Now." }];
    expect(asked({ instructions: "Be kind.", input }).prompt).toEqual([
      { role: "system", content: "Be kind.\n\nBe brief." },
      user,
      { role: "system", content: "Now." },
    ]);
  });

  it("joins the parts of a text as lines", () => {
    const content = [
      { type: "input_text", text: "one" },
      { type: "text", text: "two" },
    ];
    expect(conversation({ role: "user", content })).toEqual([{ role: "user", content: "one\ntwo" }]);
  });

  it("may be the output of earlier responses: what came of one turn is one message", () => {
    expect(
      conversation(
        user,
        { type: "reasoning", id: "rs_1", summary: [], content: [{ type: "reasoning_text", text: "hm" }] },
        {
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text: "Let me see.", annotations: [], logprobs: [] }],
        },
        call("c1", "f", '{"a":1}'),
        call("c2", "g", "{}"),
        result("c1", "one"),
        result("c2", [{ type: "input_text", text: "two" }]),
        { type: "message", role: "assistant", content: [{ type: "refusal", refusal: "No." }] },
      ),
    ).toEqual([
      user,
      {
        role: "assistant",
        content: "Let me see.",
        reasoning: "hm",
        toolCalls: [
          { id: "c1", name: "f", arguments: '{"a":1}' },
          { id: "c2", name: "g", arguments: "{}" },
        ],
      },
      { role: "tool", toolCallId: "c1", content: "one" },
      { role: "tool", toolCallId: "c2", content: "two" },
      { role: "assistant", content: "No." },
    ]);
  });

  it("keeps turns apart that are two", () => {
    const [one, two] = ["one", "two"].map((content) => ({ role: "assistant", content }));
    expect(conversation(user, one, two)).toEqual([user, one, two]);
    const silent = { role: "assistant", content: "" };
    expect(conversation(user, call("c1", "f", "{}"), one)).toEqual([
      user,
      { ...silent, toolCalls: [{ id: "c1", name: "f", arguments: "{}" }] },
      one,
    ]);
  });

  it("forgets reasoning that it can't read", () => {
    const sealed = { type: "reasoning", id: "rs_1", summary: [], encrypted_content: "gAAAA" };
    expect(conversation(user, sealed)).toEqual([user]);
  });

  it.each([
    ["nothing", { input: undefined }, "input"],
    ["no items", { input: [] }, "input"],
    [
      "a picture",
      { input: [{ role: "user", content: [{ type: "input_image" }] }] },
      "input[0].content[0].type",
    ],
    ["a file", { input: [{ role: "user", content: [{ type: "input_file" }] }] }, "input[0].content[0].type"],
    ["a reference", { input: [user, { type: "item_reference", id: "msg_1" }] }, "input[1].type"],
    ["a call of the original's tool", { input: [user, { type: "web_search_call" }] }, "input[1].type"],
    ["another role", { input: [{ role: "robot", content: "hi" }] }, "input[0].role"],
    ["a message without content", { input: [{ role: "user" }] }, "input[0].content"],
    ["a result without its call", { input: [user, result("c1", "one")] }, "input[1].call_id"],
    ["a result before its call", { input: [result("c1", ""), call("c1", "f", "{}")] }, "input[0].call_id"],
  ])("is refused by name: %s", (_what, more, param) => {
    expect(refusal(more)).toMatchObject({ code: "invalid_request", param });
  });
});

describe("tools", () => {
  const parameters = { type: "object", properties: { a: { type: "integer" } } };

  it("are functions", () => {
    const tools = [tool("f", { description: "does f", parameters, strict: true }), tool("g")];
    expect(asked({ tools, parallel_tool_calls: false })).toMatchObject({
      tools: [{ name: "f", description: "does f", parameters }, { name: "g" }],
      toolChoice: "auto",
      parallelToolCalls: false,
    });
    expect(newResponse(parsed({ tools }), 1).tools).toEqual([
      { type: "function", name: "f", description: "does f", parameters, strict: true },
      { type: "function", name: "g", description: null, parameters: null, strict: null },
    ]);
  });

  it("are chosen as the original's are", () => {
    const tools = [tool("f"), tool("g")];
    expect(asked({ tools, tool_choice: "required" }).toolChoice).toBe("required");
    expect(asked({ tools, tool_choice: tool("g") }).toolChoice).toEqual({ name: "g" });
    const allowed = { type: "allowed_tools", mode: "required", tools: [tool("g")] };
    expect(asked({ tools, tool_choice: allowed })).toMatchObject({
      tools: [{ name: "g" }],
      toolChoice: "required",
    });
    expect(newResponse(parsed({ tools, tool_choice: allowed }), 1).tool_choice).toEqual(allowed);
  });

  it.each([
    ["web search", { tools: [{ type: "web_search" }] }, "tools[0].type", "web_search"],
    ["file search", { tools: [tool("f"), { type: "file_search" }] }, "tools[1].type", "file_search"],
    ["an interpreter", { tools: [{ type: "code_interpreter" }] }, "tools[0].type", "code_interpreter"],
    ["a server of tools", { tools: [{ type: "mcp", server_label: "a" }] }, "tools[0].type", "mcp"],
    ["a tool of no kind", { tools: [{ name: "f" }] }, "tools[0].type", "function"],
    ["a choice among none", { tool_choice: "required" }, "tool_choice", "tools"],
    ["a choice of another", { tools: [tool("f")], tool_choice: tool("g") }, "tool_choice", '"g"'],
    ["a choice of a search", { tools: [tool("f")], tool_choice: { type: "mcp" } }, "tool_choice", "function"],
  ])("are refused by name: %s", (_what, more, param, named) => {
    expect(refusal(more)).toMatchObject({ param, message: expect.stringContaining(named) });
  });
});

describe("what an answer is like", () => {
  it("is said in the engine's words", () => {
    const schema = { type: "object" };
    expect(
      asked({
        max_output_tokens: 20,
        temperature: 0,
        top_p: 0.5,
        top_k: 3,
        seed: 7,
        stop: "x",
        keep_alive: "5m",
        text: { format: { type: "json_schema", name: "a", schema, strict: true }, verbosity: "medium" },
        reasoning: { effort: "low", summary: "auto" },
        include: ["message.output_text.logprobs", "reasoning.encrypted_content"],
        top_logprobs: 3,
        chat_template_kwargs: { enable_thinking: false },
      }),
    ).toEqual({
      model: "m",
      prompt: [user],
      maxTokens: 20,
      temperature: 0,
      topP: 0.5,
      topK: 3,
      seed: 7,
      stop: ["x"],
      keepAlive: 300_000,
      format: { type: "json_schema", schema },
      reasoningEffort: "low",
      logprobs: 3,
      templateVariables: { enable_thinking: false },
    });
    expect(asked({ text: { format: { type: "json_object" } } }).format).toEqual({ type: "json_object" });
    expect(asked({ include: ["message.output_text.logprobs"] }).logprobs).toBe(0);
  });

  it("comes back with the response", () => {
    const format = { type: "json_schema", name: "a", schema: { type: "object" } };
    const more = {
      instructions: "Be kind.",
      max_output_tokens: 20,
      temperature: 0,
      text: { format },
      reasoning: { effort: "low" },
      metadata: { a: "b" },
      user: "u",
    };
    expect(newResponse(parsed(more), 1)).toMatchObject({
      ...more,
      object: "response",
      created_at: 1,
      status: "in_progress",
      store: false,
      text: { format: { ...format, strict: null } },
      output: [],
    });
  });

  it.each([
    ["storing", { store: true }, "store"],
    ["an earlier response", { previous_response_id: "resp_1" }, "previous_response_id"],
    ["a conversation", { conversation: "conv_1" }, "conversation"],
    ["the background", { background: true }, "background"],
    ["a stored prompt", { prompt: { id: "pmpt_1" } }, "prompt"],
    ["cutting the input", { truncation: "auto" }, "truncation"],
    ["compaction", { context_management: [{ type: "compaction" }] }, "context_management"],
    ["moderation", { moderation: { model: "m" } }, "moderation"],
    ["verbosity", { text: { verbosity: "low" } }, "text.verbosity"],
    ["a summary", { reasoning: { summary: "detailed" } }, "reasoning.summary"],
    ["an unknown effort", { reasoning: { effort: "heroic" } }, "reasoning.effort"],
    ["an unknown format", { text: { format: { type: "xml" } } }, "text.format.type"],
    [
      "a format without its schema",
      { text: { format: { type: "json_schema", name: "a" } } },
      "text.format.schema",
    ],
    ["something else to include", { include: ["everything"] }, "include[0]"],
    ["log probabilities that are not included", { top_logprobs: 2 }, "top_logprobs"],
    ["options of no stream", { stream_options: { include_obfuscation: false } }, "stream_options"],
    ["no tokens", { max_output_tokens: 0 }, "max_output_tokens"],
    ["heat", { temperature: 3 }, "temperature"],
  ])("is refused by name: %s", (_what, more, param) => {
    expect(refusal(more)).toMatchObject({ code: "invalid_request", param });
  });
});

describe("any body", () => {
  const words = fc.constantFrom(
    ...["message", "function", "function_call", "function_call_output", "reasoning", "user", "assistant"],
    ...["input_text", "allowed_tools", "json_schema", "json_object", "auto", "required", "f", ""],
  );
  const fields = fc.constantFrom(
    ...["type", "role", "content", "text", "call_id", "name", "arguments", "output", "tools", "mode"],
    ...["format", "schema", "parameters", "effort", "summary"],
  );
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      words,
      fc.jsonValue({ maxDepth: 1 }),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(fields, tie("value"), { maxKeys: 5 }),
    ),
  }));

  it("is refused by name, or makes a request and a response", () => {
    const field = fc.constantFrom(...Object.keys(responseRequest.shape));
    fc.assert(
      fc.property(fc.dictionary(field, value, { maxKeys: 4 }), (more) => {
        const { data, error } = responseRequest.safeParse({ ...least, ...more });
        if (error) {
          expect(invalidBody(error)).toMatchObject({ param: expect.any(String) });
          return;
        }
        expect(generateRequest(data, { model: data.model }).prompt).toEqual(expect.any(Array));
        const response = newResponse(data, 1);
        expect(responseObject.parse(response)).toEqual(response);
      }),
      { numRuns: 500 },
    );
  });
});

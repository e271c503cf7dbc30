import { describe, expect, it } from "vitest";
import {
  type ChatCompletionRequest,
  chatCompletionRequest,
} from "../../../../src/server/dialects/openai/chat-completions/schemas.js";
import {
  fieldNames,
  generateRequest,
} from "../../../../src/server/dialects/openai/chat-completions/translate.js";
import { invalidBody } from "../../../../src/server/middleware/body.js";

const least = { model: "m", messages: [{ role: "user", content: "hi" }] };
const parsed = (more: object = {}): ChatCompletionRequest =>
  chatCompletionRequest.parse({ ...least, ...more });
const asked = (more: object = {}) => generateRequest(parsed(more), { model: "m" });
const refusal = (more: object) => {
  const { error } = chatCompletionRequest.safeParse({ ...least, ...more });
  return error && invalidBody(error);
};
const conversation = (...messages: object[]) => asked({ messages }).prompt;
const tool = (name: string, more: object = {}) => ({ type: "function", function: { name, ...more } });

describe("the least request", () => {
  it("asks for nothing but an answer", () => {
    expect(asked()).toEqual({ model: "m", prompt: [{ role: "user", content: "hi" }] });
  });

  it("stays the same where every other field is null or unknown", () => {
    const empty = Object.fromEntries(Object.keys(chatCompletionRequest.shape).map((field) => [field, null]));
    expect(
      generateRequest(chatCompletionRequest.parse({ ...empty, ...least, dance: true }), { model: "m" }),
    ).toEqual(asked());
  });
});

describe("messages", () => {
  it("have the engine's roles, and lines for their parts", () => {
    const parts = (...texts: string[]) => texts.map((text) => ({ type: "text", text }));
    expect(
      conversation(
        { role: "developer", content: parts("Be", "brief") },
        { role: "system", content: "Be kind", name: "boss" },
        { role: "user", content: parts("one", "two"), name: "ann" },
        { role: "assistant", content: [{ type: "refusal", refusal: "no" }] },
        { role: "assistant", content: null, refusal: "never", reasoning_content: "hm" },
      ),
    ).toEqual([
      { role: "system", content: "Be\nbrief" },
      { role: "system", content: "Be kind", name: "boss" },
      { role: "user", content: "one\ntwo", name: "ann" },
      { role: "assistant", content: "no" },
      { role: "assistant", content: "never", reasoning: "hm" },
    ]);
  });

  it("carry calls and their results", () => {
    const call = { id: "call_1", type: "function", function: { name: "f", arguments: '{"a":1}' } };
    expect(
      conversation(
        { role: "assistant", content: null, tool_calls: [call] },
        { role: "assistant", tool_calls: [{ ...call, type: undefined }] },
        { role: "tool", tool_call_id: "call_1", content: "2" },
      ),
    ).toEqual([
      { role: "assistant", content: "", toolCalls: [{ id: "call_1", name: "f", arguments: '{"a":1}' }] },
      { role: "assistant", content: "", toolCalls: [{ id: "call_1", name: "f", arguments: '{"a":1}' }] },
      { role: "tool", content: "2", toolCallId: "call_1" },
    ]);
  });

  const user = (...content: object[]) => [{ role: "user", content }];
  it.each([
    [[], "messages", "must have a message"],
    ["hi", "messages", "array"],
    [[{ role: "wizard", content: "x" }], "messages[0].role", "must be developer, system"],
    [[{ role: "function", name: "f", content: "x" }], "messages[0].role", "use `tool`"],
    [[{ role: "user" }], "messages[0].content", "must be a text"],
    [[{ role: "user", content: [] }], "messages[0].content", ""],
    [[{ role: "assistant", content: null }], "messages[0].content", "`tool_calls`"],
    [
      [{ role: "assistant", function_call: { name: "f" }, content: "" }],
      "messages[0].function_call",
      "`tool_calls`",
    ],
    [[{ role: "tool", content: "x" }], "messages[0].tool_call_id", ""],
    [user({ type: "text" }), "messages[0].content[0].text", ""],
    [
      user({ type: "image_url", image_url: { url: "file:///etc/passwd" } }),
      "messages[0].content[0]",
      "images are not read",
    ],
    [
      user({ type: "text", text: "a" }, { type: "input_audio" }),
      "messages[0].content[1]",
      "sounds are not read",
    ],
    [user({ type: "file", file: { file_id: "f" } }), "messages[0].content[0]", "files are not read"],
  ])("are refused where they can't be read: %j", (messages, param, message) => {
    const error = refusal({ messages });
    expect(error).toMatchObject({ code: "invalid_request", param });
    expect(error?.message).toContain(message);
  });
});

describe("tools", () => {
  const parameters = { type: "object", properties: { a: { type: "integer" } } };
  const tools = [tool("add", { description: "adds", parameters, strict: true }), tool("stop")];
  const engineTools = [{ name: "add", description: "adds", parameters }, { name: "stop" }];

  it.each([
    [undefined, "auto"],
    ["none", "none"],
    ["auto", "auto"],
    ["required", "required"],
    [tool("stop"), { name: "stop" }],
  ])("are chosen as the engine has it: %j", (tool_choice, toolChoice) => {
    expect(asked({ tools, tool_choice, parallel_tool_calls: false })).toMatchObject({
      tools: engineTools,
      toolChoice,
      parallelToolCalls: false,
    });
  });

  it("that are not allowed are not told to the model", () => {
    const allowed = { mode: "required", tools: [tool("stop")] };
    const request = asked({ tools, tool_choice: { type: "allowed_tools", allowed_tools: allowed } });
    expect(request).toMatchObject({ tools: [{ name: "stop" }], toolChoice: "required" });
  });

  it("of an empty list are none", () => {
    expect(asked({ tools: [], tool_choice: "auto", functions: [], function_call: "none" })).toEqual(asked());
  });

  it.each([
    [{ tools: [{ type: "custom", custom: { name: "x" } }] }, "tools[0].type", "use `function`"],
    [{ tools: [{ type: "function" }] }, "tools[0].function", ""],
    [{ tools, tool_choice: "any" }, "tool_choice", "must be none"],
    [{ tools, tool_choice: tool("fly") }, "tool_choice", '"fly"'],
    [{ tools, tool_choice: { type: "custom", custom: { name: "x" } } }, "tool_choice.type", "use `function`"],
    [{ tool_choice: "required" }, "tool_choice", "`tools`"],
    [{ functions: [{ name: "f" }] }, "functions", "use `tools`"],
    [{ function_call: { name: "f" } }, "function_call", "use `tool_choice`"],
  ])("are refused where they can't be meant: %j", (more, param, message) => {
    const error = refusal(more);
    expect(error).toMatchObject({ code: "invalid_request", param });
    expect(error?.message).toContain(message);
  });
});

describe("what an answer must look like", () => {
  const schema = { type: "object", properties: { a: { type: "integer" } } };
  const named = (more: object) => ({
    response_format: { type: "json_schema", json_schema: { name: "a", ...more } },
  });

  it.each([
    [{ response_format: { type: "text" } }, undefined],
    [{ response_format: { type: "json_object" } }, { type: "json_object" }],
    [{ response_format: { type: "json_object", schema } }, { type: "json_schema", schema }],
    [named({ schema, strict: true }), { type: "json_schema", schema }],
    [named({ schema, strict: false, description: "numbers" }), { type: "json_schema", schema }],
    [{ structured_outputs: { json: schema } }, { type: "json_schema", schema }],
    [{ structured_outputs: { json: JSON.stringify(schema) } }, { type: "json_schema", schema }],
    [{ structured_outputs: { json_object: true } }, { type: "json_object" }],
    [{ structured_outputs: { choice: ["a", "b"] } }, { type: "choice", choices: ["a", "b"] }],
    [{ guided_json: schema }, { type: "json_schema", schema }],
    [{ guided_regex: "a+" }, { type: "regex", pattern: "a+" }],
    [{ guided_choice: ["a"] }, { type: "choice", choices: ["a"] }],
    [{ guided_grammar: 'root ::= "a"' }, { type: "grammar", grammar: 'root ::= "a"' }],
  ])("is the engine's format: %j", (more, format) => {
    expect(asked(more).format).toEqual(format);
  });

  it.each([
    [{ response_format: { type: "yaml" } }, "response_format.type"],
    [
      { response_format: { type: "json_schema", json_schema: { schema } } },
      "response_format.json_schema.name",
    ],
    [named({}), "response_format.json_schema.schema"],
    [named({ name: "two words", schema }), "response_format.json_schema.name"],
    [{ guided_json: "{" }, "guided_json"],
    [{ guided_choice: [] }, "guided_choice"],
    [{ response_format: { type: "json_object" }, guided_regex: "a" }, "guided_regex"],
    [{ structured_outputs: { regex: "a", choice: ["a"] } }, "structured_outputs"],
  ])("is refused where it can't be meant: %j", (more, param) => {
    expect(refusal(more)).toMatchObject({ code: "invalid_request", param });
  });

  it("has the name that the body gave it in what the engine finds wrong", () => {
    expect(fieldNames(parsed({ guided_regex: "(" })).format).toBe("guided_regex");
    expect(fieldNames(parsed()).format).toBe("response_format");
  });
});

describe("numbers, reasoning and variables", () => {
  it("go to the engine", () => {
    const more = {
      n: 2,
      max_completion_tokens: 9,
      logprobs: true,
      top_logprobs: 3,
      reasoning_effort: "low",
      chat_template_kwargs: { enable_thinking: false },
      seed: 1,
    };
    expect(asked(more)).toMatchObject({
      n: 2,
      maxTokens: 9,
      logprobs: 3,
      reasoningEffort: "low",
      templateVariables: { enable_thinking: false },
      seed: 1,
    });
    expect(asked({ logprobs: true }).logprobs).toBe(0);
    expect(asked({ logprobs: false })).toEqual(asked());
  });

  it("have an older name for the most tokens", () => {
    expect(asked({ max_tokens: 7 }).maxTokens).toBe(7);
    expect(asked({ max_tokens: 7, max_completion_tokens: 7 }).maxTokens).toBe(7);
    expect(fieldNames(parsed({ max_tokens: 7 })).maxTokens).toBe("max_tokens");
    expect(fieldNames(parsed({})).maxTokens).toBe("max_completion_tokens");
    expect(refusal({ max_tokens: 7, max_completion_tokens: 8 })).toMatchObject({ param: "max_tokens" });
  });

  it.each([
    [{ n: 0 }, "n"],
    [{ n: 65 }, "n"],
    [{ max_tokens: 0 }, "max_tokens"],
    [{ top_logprobs: 3 }, "top_logprobs"],
    [{ logprobs: true, top_logprobs: 21 }, "top_logprobs"],
    [{ logprobs: 3 }, "logprobs"],
    [{ reasoning_effort: "huge" }, "reasoning_effort"],
    [{ stream_options: { include_usage: true } }, "stream_options"],
    [{ model: "" }, "model"],
    [{ model: "m".repeat(600) }, "model"],
  ])("are refused by name: %j", (more, param) => {
    expect(refusal(more)).toMatchObject({ code: "invalid_request", param });
  });
});

describe("fields of the original that are not here", () => {
  it.each([
    [{ audio: { voice: "alloy", format: "wav" } }, "audio"],
    [{ modalities: ["text", "audio"] }, "modalities"],
    [{ prediction: { type: "content", content: "x" } }, "prediction"],
    [{ web_search_options: {} }, "web_search_options"],
    [{ moderation: { model: "m" } }, "moderation"],
    [{ store: true }, "store"],
    [{ verbosity: "low" }, "verbosity"],
    [{ service_tier: "flex" }, "service_tier"],
    [{ continue_final_message: true }, "continue_final_message"],
  ])("are refused by name: %j", (more, param) => {
    expect(refusal(more)).toMatchObject({ code: "invalid_request", param });
    expect(refusal(more)?.message).toMatch(/not supported here: \w/);
  });

  it("pass where they ask for nothing else than what is done", () => {
    const neutral = {
      modalities: ["text"],
      store: false,
      verbosity: "medium",
      service_tier: "auto",
      user: "u",
      metadata: { a: "b" },
      safety_identifier: "s",
      prompt_cache_key: "k",
      prompt_cache_retention: "24h",
      prompt_cache_options: { mode: "implicit" },
      stream: true,
      stream_options: { include_usage: true, include_obfuscation: false },
      add_generation_prompt: true,
      continue_final_message: false,
    };
    expect(asked(neutral)).toEqual(asked());
  });
});

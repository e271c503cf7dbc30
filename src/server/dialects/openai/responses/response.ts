import type { GenerateEvent, HfmsError } from "../../../../core/index.js";
import { newId } from "../answers.js";
import type { OutputItem } from "./output-schemas.js";
import type { ResponseObject } from "./response-schemas.js";
import type { ResponseRequest } from "./schemas.js";

type Done = Extract<GenerateEvent, { type: "done" }>;

/** A response as it begins: what was asked, and no output. `created` is in seconds since 1970. */
export function newResponse(body: ResponseRequest, created: number): ResponseObject {
  const { tool_choice = "auto", parallel_tool_calls = true } = body;
  return {
    id: newId("resp_"),
    object: "response",
    created_at: created,
    completed_at: null,
    status: "in_progress",
    error: null,
    incomplete_details: null,
    model: body.model,
    output: [],
    output_text: "",
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    max_tool_calls: body.max_tool_calls ?? null,
    parallel_tool_calls,
    previous_response_id: null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null },
    store: false,
    background: false,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    text: { format: formatOf(body), verbosity: "medium" },
    tool_choice,
    tools: (body.tools ?? []).map(({ name, description = null, parameters = null, strict = null }) => ({
      type: "function",
      name,
      description,
      parameters,
      strict,
    })),
    top_logprobs: body.top_logprobs ?? 0,
    truncation: "disabled",
    metadata: body.metadata ?? {},
    service_tier: "default",
    ...(body.user !== undefined && { user: body.user }),
    ...(body.safety_identifier !== undefined && { safety_identifier: body.safety_identifier }),
    ...(body.prompt_cache_key !== undefined && { prompt_cache_key: body.prompt_cache_key }),
    access_programs: null,
  };
}

interface Answered {
  items: OutputItem[];
  reasoningTokens: number;
}

/** The response with its answer. One that the limit cut is incomplete. */
export function finishedResponse(
  response: ResponseObject,
  { items, reasoningTokens }: Answered,
  { finishReason, usage }: Pick<Done, "finishReason" | "usage">,
): ResponseObject {
  const cut = finishReason === "length";
  return {
    ...response,
    ...outputOf(items),
    status: cut ? "incomplete" : "completed",
    completed_at: cut ? null : Math.floor(Date.now() / 1000),
    incomplete_details: cut ? { reason: "max_output_tokens" } : null,
    usage: {
      input_tokens: usage.prompt_tokens,
      input_tokens_details: { cached_tokens: usage.cached_tokens, cache_write_tokens: 0 },
      output_tokens: usage.completion_tokens,
      output_tokens_details: { reasoning_tokens: reasoningTokens },
      total_tokens: usage.total_tokens,
    },
  };
}

/** The response with what there was of its answer when it failed. */
export function failedResponse(
  response: ResponseObject,
  { items }: Pick<Answered, "items">,
  { status, message }: HfmsError,
): ResponseObject {
  const code = status === 429 ? "rate_limit_exceeded" : status < 500 ? "invalid_prompt" : "server_error";
  return { ...response, ...outputOf(items), status: "failed", error: { code, message } };
}

function outputOf(items: OutputItem[]): Pick<ResponseObject, "output" | "output_text"> {
  const texts = items.map((item) => (item.type === "message" ? item.content[0].text : ""));
  return { output: items, output_text: texts.join("") };
}

function formatOf({ text }: ResponseRequest): ResponseObject["text"]["format"] {
  const format = text?.format ?? { type: "text" };
  if (format.type !== "json_schema") return format;
  const { type, name, description, schema, strict = null } = format;
  return { type, name, ...(description !== undefined && { description }), schema, strict };
}

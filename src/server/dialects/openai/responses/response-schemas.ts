import { z } from "zod";
import { itemEvents, outputItem } from "./output-schemas.js";
import { efforts } from "./schemas.js";

/** A response and the events of its stream, in the shapes of OpenAI's Responses API. */

const usage = z.object({
  input_tokens: z.int(),
  input_tokens_details: z.object({
    cached_tokens: z.int().describe("Tokens of the prompt whose keys and values were there already."),
    cache_write_tokens: z.int().describe("Always 0: keeping them costs nothing and is not counted."),
  }),
  output_tokens: z.int(),
  output_tokens_details: z.object({ reasoning_tokens: z.int() }),
  total_tokens: z.int(),
});

const tool = z.object({
  type: z.literal("function"),
  name: z.string(),
  description: z.string().nullable(),
  parameters: z.record(z.string(), z.unknown()).nullable(),
  strict: z.boolean().nullable(),
});

const namedFunction = z.object({ type: z.literal("function"), name: z.string() });

const toolChoice = z.union([
  z.enum(["none", "auto", "required"]),
  namedFunction,
  z.object({
    type: z.literal("allowed_tools"),
    mode: z.enum(["auto", "required"]),
    tools: z.array(namedFunction),
  }),
]);

const textFormat = z.discriminatedUnion("type", [
  z.object({ type: z.literal("text") }),
  z.object({ type: z.literal("json_object") }),
  z.object({
    type: z.literal("json_schema"),
    name: z.string(),
    description: z.string().optional(),
    schema: z.record(z.string(), z.unknown()),
    strict: z.boolean().nullable(),
  }),
]);

export const responseObject = z
  .object({
    id: z.string(),
    object: z.literal("response"),
    created_at: z.int(),
    completed_at: z.int().nullable(),
    status: z.enum(["in_progress", "completed", "incomplete", "failed"]),
    error: z
      .object({
        code: z.enum(["server_error", "rate_limit_exceeded", "invalid_prompt"]),
        message: z.string(),
      })
      .nullable(),
    incomplete_details: z.object({ reason: z.literal("max_output_tokens") }).nullable(),
    model: z.string(),
    output: z.array(outputItem),
    output_text: z.string().describe("The text of all messages, one after the other."),
    usage: usage.optional().describe("Absent until the answer is over."),
    instructions: z.string().nullable(),
    max_output_tokens: z.int().nullable(),
    max_tool_calls: z.int().nullable(),
    parallel_tool_calls: z.boolean(),
    previous_response_id: z.null(),
    reasoning: z.object({ effort: z.enum(efforts).nullable(), summary: z.null() }),
    store: z.literal(false),
    background: z.literal(false),
    temperature: z.number().nullable().describe("null: what the model's authors chose."),
    top_p: z.number().nullable().describe("null: what the model's authors chose."),
    text: z.object({ format: textFormat, verbosity: z.literal("medium") }),
    tool_choice: toolChoice,
    tools: z.array(tool),
    top_logprobs: z.int(),
    truncation: z.literal("disabled"),
    metadata: z.record(z.string(), z.string()),
    service_tier: z.literal("default"),
    user: z.string().optional(),
    safety_identifier: z.string().optional(),
    prompt_cache_key: z.string().optional(),
    access_programs: z.null(),
  })
  .meta({ id: "Response" });

export type ResponseObject = z.infer<typeof responseObject>;

const numbered = { sequence_number: z.int().describe("From 0, without gaps.") };

function ofResponse<const T extends string>(type: T) {
  return z.object({ type: z.literal(type), ...numbered, response: responseObject });
}

const errorEvent = z.object({
  type: z.literal("error"),
  ...numbered,
  code: z.string().nullable(),
  message: z.string(),
  param: z.string().nullable(),
});

const [itemAdded, ...moreItemEvents] = itemEvents;

export const responseEvent = z
  .discriminatedUnion("type", [
    ofResponse("response.created"),
    ofResponse("response.in_progress"),
    itemAdded.extend(numbered),
    ...moreItemEvents.map((event) => event.extend(numbered)),
    ofResponse("response.completed"),
    ofResponse("response.incomplete"),
    ofResponse("response.failed"),
    errorEvent,
  ])
  .meta({ id: "ResponseStreamEvent" });

export type ResponseEvent = z.infer<typeof responseEvent>;

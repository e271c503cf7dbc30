import { z } from "zod";
import { finishReason, usageSchema } from "../answers.js";

/** What is sent back: an answer as a whole, and the chunks of a stream. */

const spelled = {
  token: z.string().describe("Bytes that are no text of their own are written as \\xf0."),
  logprob: z.number().describe("-9999 for a token that is impossible."),
  bytes: z.array(z.int()),
};

const tokenLogprob = z.object({ ...spelled, top_logprobs: z.array(z.object(spelled)) });

const logprobs = z.object({ content: z.array(tokenLogprob), refusal: z.null() });

const stopReason = z
  .string()
  .optional()
  .describe("Extension, as vLLM has it: the text of `stop` that ended it.");

const message = z.object({
  role: z.literal("assistant"),
  content: z.string().nullable().describe("null where there are only tool calls."),
  refusal: z.null(),
  annotations: z.array(z.never()),
  reasoning_content: z.string().optional().describe("Extension: what the model thought before it answered."),
  tool_calls: z
    .array(
      z.object({
        id: z.string(),
        type: z.literal("function"),
        function: z.object({ name: z.string(), arguments: z.string().describe("JSON text of an object.") }),
      }),
    )
    .optional(),
});

const head = {
  id: z.string(),
  created: z.int().describe("Seconds since 1970."),
  model: z.string().describe("As the request named it."),
  system_fingerprint: z.string().optional().describe("Changes with the model's commit and number format."),
};

export const chatCompletion = z.object({
  ...head,
  object: z.literal("chat.completion"),
  choices: z.array(
    z.object({
      index: z.int(),
      message,
      logprobs: logprobs.nullable(),
      finish_reason: finishReason,
      stop_reason: stopReason,
    }),
  ),
  usage: usageSchema,
});

const toolCallDelta = z.object({
  index: z.int(),
  id: z.string().optional(),
  type: z.literal("function").optional(),
  function: z.object({ name: z.string().optional(), arguments: z.string() }),
});

const delta = z.object({
  role: z.literal("assistant").optional(),
  content: z.string().optional(),
  reasoning_content: z.string().optional(),
  tool_calls: z.array(toolCallDelta).optional(),
});

export const chatCompletionChunk = z.object({
  ...head,
  object: z.literal("chat.completion.chunk"),
  choices: z
    .array(
      z.object({
        index: z.int(),
        delta,
        logprobs: logprobs.nullable(),
        finish_reason: finishReason.nullable(),
        stop_reason: stopReason,
      }),
    )
    .describe("Empty in the chunk with the usage."),
  usage: usageSchema
    .nullable()
    .optional()
    .describe("With `stream_options.include_usage`: in the last chunk."),
});

/** What an answer and all its chunks begin with. */
export type AnswerHead = Pick<ChatCompletion, keyof typeof head>;
export type ChatCompletion = z.output<typeof chatCompletion>;
export type ChatCompletionChunk = z.output<typeof chatCompletionChunk>;
export type ChatLogprobs = z.output<typeof logprobs>;

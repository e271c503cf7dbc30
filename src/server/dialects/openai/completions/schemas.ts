import { z } from "zod";
import { finishReason, usageSchema } from "../answers.js";
import { checkOutput, outputFields } from "../chat-completions/output.js";
import {
  callerFields,
  checkStreamOptions,
  MAX_COUNT,
  modelName,
  n,
  optional,
  samplingFields,
  schedulingFields,
  sourceTextFields,
  streamFields,
  unsupported,
} from "../fields.js";
import { textInput } from "../text-input.js";

/** As many likeliest tokens as the original tells. */
const MAX_LOGPROBS = 5;

/** `POST /v1/completions`. What it has no name for is ignored. */
export const completionRequest = z
  .object({
    model: modelName,
    prompt: textInput.describe(
      "A text to continue, or several; or token ids, which are continued as they are. There is no chat template.",
    ),
    ...samplingFields,
    ...schedulingFields,
    ...streamFields,
    ...outputFields,
    ...sourceTextFields,
    n: n.describe("How many answers to each prompt: answer `i` of prompt `p` has the index `p * n + i`."),
    best_of: n.describe("Make so many answers and return the `n` likeliest ones. Not with `stream`."),
    max_tokens: optional(z.int().min(0).max(MAX_COUNT)).describe(
      "Upper bound of new tokens. Default 16. 0 with `echo`: only the prompt is scored.",
    ),
    echo: optional(z.boolean()).describe("The prompt comes first in the text."),
    logprobs: optional(z.int().min(0).max(MAX_LOGPROBS)).describe(
      "Tell log probabilities, and those of so many likeliest tokens beside each. With `echo` also the prompt's.",
    ),
    ...callerFields,
    suffix: unsupported("write what comes behind into the prompt, in the model's own infill format", ""),
    add_special_tokens: unsupported("send the prompt as token ids, which are taken as they are", true),
  })
  .superRefine((body, context) => {
    checkStreamOptions(body, context);
    checkOutput(body, context);
    const { n: asked = 1, best_of: made, max_tokens: limit, echo, stream } = body;
    const issue = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (made !== undefined && made < asked) issue("best_of", `is ${made}, fewer than the ${asked} of \`n\``);
    if (made !== undefined && made > asked && stream)
      issue("best_of", "can't be streamed: the best is known at the end");
    if (limit === 0 && !echo) issue("max_tokens", "must be at least 1 without `echo`");
    if (limit === 0 && made !== undefined && made > 1)
      issue("best_of", "has nothing to choose from where `max_tokens` is 0");
  });

export type CompletionRequest = z.output<typeof completionRequest>;

/** The older form of log probabilities: four lists, one entry for each token. */
const logprobs = z.object({
  tokens: z.array(z.string()).describe("Bytes that are no text of their own are written as \\xf0."),
  token_logprobs: z
    .array(z.number().nullable())
    .describe("null for the first token of an echoed prompt, -9999 for one that is impossible."),
  top_logprobs: z
    .array(z.record(z.string(), z.number()).nullable())
    .describe("The likeliest tokens, and the token itself."),
  text_offset: z.array(z.int()).describe("Where in the text each token begins, in characters (code points)."),
});

export type CompletionLogprobs = z.output<typeof logprobs>;

const choice = {
  index: z.int(),
  text: z.string(),
  logprobs: logprobs.nullable(),
  stop_reason: z.string().optional().describe("Extension, as vLLM has it: the text of `stop` that ended it."),
};

const head = {
  id: z.string(),
  object: z.literal("text_completion"),
  created: z.int().describe("Seconds since 1970."),
  model: z.string().describe("As the request named it."),
  system_fingerprint: z.string().optional().describe("Changes with the model's commit and number format."),
};

export const completionResponse = z.object({
  ...head,
  choices: z.array(z.object({ ...choice, finish_reason: finishReason })),
  usage: usageSchema,
});

export const completionChunk = z.object({
  ...head,
  choices: z
    .array(z.object({ ...choice, finish_reason: finishReason.nullable() }))
    .describe("Empty in the chunk with the usage."),
  usage: usageSchema
    .nullable()
    .optional()
    .describe("With `stream_options.include_usage`: in the last chunk."),
});

/** What an answer and all its chunks begin with. */
export type CompletionHead = Pick<CompletionChunk, keyof typeof head>;
export type CompletionResponse = z.output<typeof completionResponse>;
export type CompletionChunk = z.output<typeof completionChunk>;

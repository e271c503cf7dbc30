import { z } from "zod";
import {
  callerFields,
  checkStreamOptions,
  count,
  modelName,
  n,
  optional,
  samplingFields,
  schedulingFields,
  streamFields,
  unsupported,
} from "../fields.js";
import { messages } from "./messages.js";
import { checkOutput, outputFields } from "./output.js";
import { checkTools, toolFields } from "./tools.js";

const MAX_VARIABLES = 32;
const MAX_VARIABLE_NAME = 64;

/** `POST /v1/chat/completions`. What it has no name for is ignored. */
export const chatCompletionRequest = z
  .object({
    model: modelName,
    messages,
    ...samplingFields,
    ...schedulingFields,
    ...streamFields,
    ...toolFields,
    ...outputFields,
    n,
    max_completion_tokens: optional(count).describe("Upper bound of new tokens, reasoning included."),
    max_tokens: optional(count).describe("An older name of `max_completion_tokens`."),
    logprobs: optional(z.boolean()),
    top_logprobs: optional(z.int().min(0).max(20)).describe(
      "With `logprobs`: the likeliest tokens beside each.",
    ),
    reasoning_effort: optional(z.enum(["none", "minimal", "low", "medium", "high", "xhigh", "max"])).describe(
      "For models whose chat template can be told.",
    ),
    chat_template_kwargs: optional(
      z
        .record(z.string().max(MAX_VARIABLE_NAME), z.unknown())
        .refine((variables) => Object.keys(variables).length <= MAX_VARIABLES, {
          error: `must not have more than ${MAX_VARIABLES} variables`,
        }),
    ).describe("Extension: variables of the chat template."),
    ...callerFields,
    prompt_cache_options: z.unknown().optional().describe("Accepted, and of no effect."),
    store: unsupported("nothing is kept; leave it out", false),
    audio: unsupported("answers are text"),
    modalities: unsupported("answers are text", ["text"], []),
    prediction: unsupported("the engine guesses ahead by itself"),
    moderation: unsupported("ask /v1/moderations"),
    web_search_options: unsupported("nothing is looked up; offer a tool that does"),
    verbosity: unsupported("say in a message how long the answer shall be", "medium"),
    add_generation_prompt: unsupported("the answer is always a message of its own", true),
    continue_final_message: unsupported("the answer is always a message of its own", false),
  })
  .superRefine((body, context) => {
    checkStreamOptions(body, context);
    checkTools(body, context);
    checkOutput(body, context);
    const { max_tokens: old, max_completion_tokens: limit, logprobs, top_logprobs } = body;
    const issue = (field: string, message: string) =>
      context.addIssue({ code: "custom", path: [field], message });
    if (old !== undefined && limit !== undefined && old !== limit) {
      issue("max_tokens", `is ${old}, but \`max_completion_tokens\` is ${limit}; give one of them`);
    }
    if (top_logprobs !== undefined && !logprobs) {
      issue("top_logprobs", "is only allowed when `logprobs` is true");
    }
  });

export type ChatCompletionRequest = z.output<typeof chatCompletionRequest>;

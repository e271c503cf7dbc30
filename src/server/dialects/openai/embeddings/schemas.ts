import { z } from "zod";
import { callerFields, count, modelName, optional, schedulingFields } from "../fields.js";
import { textInput } from "../text-input.js";

const MAX_PROMPT_NAME = 128;

export const embeddingRequest = z.object({
  model: modelName,
  input: textInput.describe(
    "Token ids are read as they are: `/tokenize` tells them, special tokens included.",
  ),
  encoding_format: optional(z.enum(["float", "base64"])).describe(
    "Default float. base64 is of little-endian 32 bit floats.",
  ),
  dimensions: optional(count).describe(
    "Only the first components, brought to length 1 again where the model's vectors have it.",
  ),
  user: callerFields.user,
  truncate: optional(z.boolean()).describe(
    "Extension: cut texts that are longer than the model reads. By default they are refused.",
  ),
  normalize: optional(z.boolean()).describe(
    "Extension: bring vectors to length 1. Default: as the model's files say.",
  ),
  prompt_name: optional(z.string().max(MAX_PROMPT_NAME)).describe(
    'Extension: put one of the model\'s own prompts before each text, such as "query". Not before token ids.',
  ),
  keep_alive: schedulingFields.keep_alive,
});

export type EmbeddingRequest = z.output<typeof embeddingRequest>;

export const usage = z.object({ prompt_tokens: z.int(), total_tokens: z.int() });

export const embeddingResponse = z.object({
  object: z.literal("list"),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: z.int(),
      embedding: z.union([z.array(z.number()), z.string().describe("With `encoding_format` base64.")]),
    }),
  ),
  model: z.string().describe("As the request named it."),
  usage,
});

export type EmbeddingResponse = z.output<typeof embeddingResponse>;

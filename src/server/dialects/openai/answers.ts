import { randomUUID } from "node:crypto";
import { z } from "zod";
import { finishReasons, type GenerateEvent, type ReadyEvent } from "../../../core/index.js";

/** What answers of several operations of this dialect have in common. */

type Done = Extract<GenerateEvent, { type: "done" }>;

/** `chatcmpl-…`, `cmpl-…`, `resp_…`: the prefix with its separator. */
export function newId(prefix: string): string {
  return prefix + randomUUID().replaceAll("-", "");
}

/** Changes with the model's commit and number format: as long as it is the same, a seed gives the same answer. */
export function fingerprintOf(ready: ReadyEvent | undefined): string | undefined {
  if (!ready) return undefined;
  const { dtype, revision } = ready;
  return `hfms-${dtype}-${/^[\da-f]{40}$/.test(revision) ? revision.slice(0, 8) : revision}`;
}

/** The engine's reasons have the names that this dialect has for them. */
export const finishReason = z.enum(finishReasons);

export const usageSchema = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
  prompt_tokens_details: z.object({
    cached_tokens: z.int().describe("Tokens of the prompt whose keys and values were there already."),
  }),
  completion_tokens_details: z.object({
    reasoning_tokens: z.int(),
    accepted_prediction_tokens: z
      .int()
      .optional()
      .describe("Tokens that were guessed ahead, and were right."),
    rejected_prediction_tokens: z.int().optional().describe("Guessed ahead, and wrong."),
  }),
});

/** Real tokens, those of all answers. Guessed ones only where there were any. */
export function usageOf(
  { usage, timings }: Pick<Done, "usage" | "timings">,
  reasoningTokens = 0,
): z.infer<typeof usageSchema> {
  const { prompt_tokens, completion_tokens, total_tokens, cached_tokens } = usage;
  const { drafted_tokens, accepted_tokens = 0 } = timings;
  return {
    prompt_tokens,
    completion_tokens,
    total_tokens,
    prompt_tokens_details: { cached_tokens },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      ...(drafted_tokens !== undefined && {
        accepted_prediction_tokens: accepted_tokens,
        rejected_prediction_tokens: drafted_tokens - accepted_tokens,
      }),
    },
  };
}

import type { GenerateRequest, ModelChoice } from "../../../../core/index.js";
import { formatOf } from "../chat-completions/output.js";
import { samplingOf, sourceTextOf } from "../fields.js";
import { itemsOf } from "../text-input.js";
import type { CompletionRequest } from "./schemas.js";

/** OpenAI's default. */
const MAX_TOKENS = 16;

/** What the engine is asked: one request for each prompt. */
export function generateRequests(body: CompletionRequest, choice: ModelChoice): GenerateRequest[] {
  const { n, best_of: bestOf, echo, logprobs, max_tokens: maxTokens = MAX_TOKENS } = body;
  const format = formatOf(body)?.format;
  const shared = {
    ...samplingOf(body),
    ...sourceTextOf(body),
    ...choice,
    raw: true,
    n,
    bestOf,
    echo,
    logprobs,
    // The engine always makes a token; `scored` takes it away again.
    maxTokens: Math.max(1, maxTokens),
    ...(format && { format }),
  };
  return itemsOf(body.prompt).map((prompt) => ({
    ...shared,
    prompt: typeof prompt === "string" ? prompt : { tokens: prompt },
  }));
}

/** The body's names for what the engine may find wrong. */
export function fieldNames(body: CompletionRequest): Record<string, string> {
  return { format: formatOf(body)?.field ?? "response_format" };
}

import type { GenerateRequest, ModelChoice } from "../../../../core/index.js";
import { samplingOf } from "../fields.js";
import { chatMessages } from "./messages.js";
import { formatOf } from "./output.js";
import type { ChatCompletionRequest } from "./schemas.js";
import { toolsOf } from "./tools.js";

/** What the engine is asked: everything that the body says of the answer. */
export function generateRequest(body: ChatCompletionRequest, choice: ModelChoice): GenerateRequest {
  const maxTokens = body.max_completion_tokens ?? body.max_tokens;
  const format = formatOf(body)?.format;
  const { n, logprobs, top_logprobs = 0, reasoning_effort: effort, chat_template_kwargs: variables } = body;
  return {
    ...samplingOf(body),
    ...choice,
    prompt: chatMessages(body.messages),
    ...toolsOf(body),
    ...(n !== undefined && { n }),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(format && { format }),
    ...(logprobs && { logprobs: top_logprobs }),
    ...(effort !== undefined && { reasoningEffort: effort }),
    ...(variables && { templateVariables: variables }),
  };
}

/** The body's names for what the engine may find wrong. */
export function fieldNames(body: ChatCompletionRequest): Record<string, string> {
  return {
    prompt: "messages",
    maxTokens: body.max_tokens === undefined ? "max_completion_tokens" : "max_tokens",
    format: formatOf(body)?.field ?? "response_format",
    reasoningEffort: "reasoning_effort",
    toolChoice: "tool_choice",
    logprobs: "top_logprobs",
  };
}

import type { GenerateRequest, ModelChoice, OutputFormat } from "../../../../core/index.js";
import { samplingOf } from "../fields.js";
import { messagesOf } from "./input.js";
import type { ResponseRequest } from "./schemas.js";
import { responseTools } from "./tools.js";

/** What the engine is asked: everything that the body says of the answer. */
export function generateRequest(body: ResponseRequest, choice: ModelChoice): GenerateRequest {
  const { max_output_tokens: maxTokens, include, top_logprobs = 0, reasoning, text } = body;
  const { chat_template_kwargs: variables } = body;
  const format = formatOf(text);
  return {
    ...samplingOf(body),
    ...choice,
    prompt: messagesOf(body),
    ...responseTools(body),
    ...(maxTokens !== undefined && { maxTokens }),
    ...(format && { format }),
    ...(include?.includes("message.output_text.logprobs") && { logprobs: top_logprobs }),
    ...(reasoning?.effort !== undefined && { reasoningEffort: reasoning.effort }),
    ...(variables && { templateVariables: variables }),
  };
}

/** The body's names for what the engine may find wrong. */
export const fieldNames: Readonly<Record<string, string>> = {
  prompt: "input",
  messages: "input",
  maxTokens: "max_output_tokens",
  format: "text.format",
  reasoningEffort: "reasoning.effort",
  logprobs: "top_logprobs",
};

function formatOf(text: ResponseRequest["text"]): OutputFormat | undefined {
  const format = text?.format;
  if (format?.type === "json_object") return { type: "json_object" };
  return format?.type === "json_schema" ? { type: "json_schema", schema: format.schema } : undefined;
}

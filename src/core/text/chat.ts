import type { ChatMessage, GenerateRequest, OutputFormat } from "../requests.js";
import { AnswerParser } from "./answer-parser.js";
import type { ChatTemplate } from "./chat-template.js";
import { afterReasoning, effortVariables, reasoningFormatOf, reasoningStateOf } from "./reasoning.js";
import { toolCallFormatOf, toolChoiceFormat } from "./tool-calls/index.js";
import { checkToolRequest } from "./tool-request.js";
import type { Tokenizer } from "./types.js";

export interface ChatModel {
  tokenizer: Tokenizer;
  template: ChatTemplate;
  /** config.json's model_type. */
  modelType: string;
}

export type ChatRequest = Pick<
  GenerateRequest,
  "tools" | "toolChoice" | "parallelToolCalls" | "reasoningEffort" | "templateVariables" | "format"
> & { prompt: ChatMessage[] };

/** A conversation made ready: what goes into the model, and how what comes out is read. */
export interface Chat {
  /** The prompt's tokens. */
  tokens: number[];
  /** What the whole answer must look like, reasoning and calls included; undefined where the model is free. */
  format?: OutputFormat;
  /** Special tokens that the detokenizer must write out for the parser. */
  keep: ReadonlySet<number>;
  /** A parser for each answer. */
  newParser(): AnswerParser;
}

/**
 * Puts a conversation, tools and the model's template together. Throws invalid_request for what can't be meant, for a
 * model without a template, and for tools that the template doesn't know where no call is required.
 */
export async function openChat(
  { tokenizer, template, modelType }: ChatModel,
  request: ChatRequest,
): Promise<Chat> {
  checkToolRequest(request);
  const toolChoice = request.toolChoice ?? "auto";
  const tools = toolChoice === "none" || !request.tools?.length ? undefined : request.tools;
  const source = template.source({ tools });
  const text = await template.render(request.prompt, {
    tools,
    toolChoice,
    variables: { ...effortVariables(source, request.reasoningEffort), ...request.templateVariables },
  });
  const toolFormat = tools && toolCallFormatOf({ template: source, tokenizer, modelType });
  const reasoning = reasoningFormatOf(source, tokenizer);
  const state = reasoning && reasoningStateOf(reasoning, text);
  let format = request.format;
  if (tools && toolFormat) {
    const calls = (choice: "required" | { name: string }): OutputFormat =>
      toolChoiceFormat(toolFormat, tools, choice, { parallel: request.parallelToolCalls ?? true })!;
    if (toolChoice !== "auto") format = calls(toolChoice as "required" | { name: string });
    else if (format) format = { type: "any_of", options: [calls("required"), format] };
  }
  if (format && reasoning && state) format = afterReasoning(reasoning, state, format);
  const newParser = () =>
    new AnswerParser({ toolFormat, tools, reasoning, startsInReasoning: state === "open" });
  return {
    tokens: tokenizer.encode(text, { addSpecialTokens: false }),
    ...(format ? { format } : {}),
    keep: specialIds(tokenizer, newParser().needsSpecialTokens),
    newParser,
  };
}

function specialIds(tokenizer: Tokenizer, tokens: readonly string[]): Set<number> {
  const ids = tokens.map((token) => tokenizer.tokenToId(token));
  return new Set(ids.filter((id) => id !== undefined && tokenizer.isSpecial(id)) as number[]);
}

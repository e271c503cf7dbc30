import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { ChatMessage, GenerateRequest, OutputFormat } from "../requests.js";
import type { AnswerParser } from "../text/answer-parser.js";
import { checkTokenIds } from "./token-ids.js";

/** What goes into the model, and how what comes out is read. */
export interface Prompt {
  /** Token ids, at least one. */
  tokens: number[];
  /** What the answer must look like. */
  format?: OutputFormat;
  /** Special tokens that are written out. */
  keep?: ReadonlySet<number>;
  /** A parser for each answer; without one everything is text. */
  newParser?(): AnswerParser;
}

/** Tokens of a conversation through the model's template, or of a text as it is. */
export async function readPrompt(
  { tokenizer, textDirectory, manifest }: LoadedModel,
  request: GenerateRequest,
): Promise<Prompt> {
  const { prompt, system, raw, tools } = request;
  if (typeof prompt === "object" && "tokens" in prompt) {
    const { vocabularySize } = manifest.info;
    checkTokenIds(prompt.tokens, { vocabularySize, what: "the prompt", param: "prompt" });
    const other = tools?.length ? "tools" : system === undefined ? undefined : "system";
    if (other === undefined) return { tokens: prompt.tokens, format: request.format };
    throw new HfmsError(
      "invalid_request",
      "token ids are the whole prompt: no message or tool goes with them",
      {
        param: other,
      },
    );
  }
  if (prompt.length === 0) {
    throw new HfmsError("empty_input", "the prompt is empty", {
      param: "prompt",
      hint: "say what the model shall continue",
    });
  }
  if (!raw) {
    const { loadChatTemplate } = await import("../text/chat-template.js");
    const template = await loadChatTemplate(textDirectory);
    if (template.hasTemplate) {
      const { openChat } = await import("../text/chat.js");
      const model = { tokenizer, template, modelType: manifest.modelType };
      return openChat(model, { ...request, prompt: conversation(prompt, system) });
    }
  }
  if (typeof prompt !== "string" || system !== undefined || tools?.length) {
    const asked = tools?.length ? "tools" : system === undefined ? "prompt" : "system";
    throw new HfmsError(
      "invalid_request",
      `${manifest.model} has no chat template: it takes a text to continue`,
      {
        hint: raw
          ? "leave out --raw"
          : "give one prompt without a system message or tools, or use an instruct model",
        param: asked,
      },
    );
  }
  const tokens = tokenizer.encode(prompt, { addSpecialTokens: true });
  if (tokens.length === 0)
    throw new HfmsError("empty_input", "the prompt has no tokens", { param: "prompt" });
  return { tokens, format: request.format };
}

/**
 * How many tokens may follow. The context length is a hard bound, and asking for more is an error, not a cut; so is the
 * memory for keys and values, `mostTokens`, where it is smaller.
 */
export function tokenBudget(
  promptLength: number,
  { contextLength, mostTokens }: { contextLength: number; mostTokens: number },
  { maxTokens }: Pick<GenerateRequest, "maxTokens">,
): number {
  if (maxTokens !== undefined && !(Number.isInteger(maxTokens) && maxTokens > 0)) {
    throw new HfmsError("invalid_request", `maxTokens is ${maxTokens}; it must be a whole number above 0`, {
      param: "maxTokens",
    });
  }
  const left = contextLength - promptLength;
  if (left < 1) {
    throw new HfmsError(
      "context_length_exceeded",
      `the prompt has ${promptLength} tokens; the model's context is ${contextLength}, answer included`,
      { hint: "shorten the prompt, or use a model with a longer context", param: "prompt" },
    );
  }
  if (maxTokens !== undefined && maxTokens > left) {
    throw new HfmsError(
      "context_length_exceeded",
      `the prompt has ${promptLength} tokens and ${maxTokens} more were asked for; the model's context is ${contextLength}`,
      { hint: `ask for at most ${left}, or leave the number out to use what is left`, param: "maxTokens" },
    );
  }
  return maxTokens ?? Math.max(1, Math.min(left, mostTokens - promptLength));
}

function conversation(prompt: string | ChatMessage[], system: string | undefined): ChatMessage[] {
  const messages: ChatMessage[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  return system === undefined ? messages : [{ role: "system", content: system }, ...messages];
}

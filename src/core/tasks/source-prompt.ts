import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { Answering, AnsweringTask } from "../models/encoder-decoder/answering.js";
import type { GenerateRequest, TokenPrompt } from "../requests.js";
import { languageToken, languageTokens, unknownLanguage } from "./language-tokens.js";
import { checkTokenIds } from "./token-ids.js";

/** What the encoder reads, and what its task and languages change in the answer. */
export interface SourcePrompt {
  tokens: number[];
  own: Partial<Answering>;
}

/** Tokens of a source text, with the words of its task in front and its languages' tokens around it. */
export function readSource(model: LoadedModel, request: GenerateRequest): SourcePrompt {
  const { tokenizer, manifest } = model;
  const { vocabularySize, contextLength } = manifest.info;
  const prompt = checkedPrompt(model, request);
  const task = taskOf(model, request);
  let tokens: number[];
  if (typeof prompt === "string") {
    tokens = tokenizer.encode(task.prefix + prompt, { addSpecialTokens: true });
    if (task.source !== undefined) tokens = withLanguage(model, tokens, task.source);
    if (tokens.length === 0)
      throw new HfmsError("empty_input", "the prompt has no tokens", { param: "prompt" });
  } else {
    tokens = prompt.tokens;
    checkTokenIds(tokens, { vocabularySize, what: "the prompt", param: "prompt" });
  }
  if (tokens.length > contextLength) {
    throw new HfmsError(
      "context_length_exceeded",
      `the text has ${tokens.length} tokens; the model reads ${contextLength}`,
      { hint: "split it into parts, and have each answered", param: "prompt" },
    );
  }
  return { tokens, own: task.own };
}

/** One text, or token ids: there are no roles. */
function checkedPrompt(
  { manifest }: LoadedModel,
  { prompt, system, tools }: GenerateRequest,
): string | TokenPrompt {
  const alone = system === undefined && !tools?.length;
  if (alone && typeof prompt === "object" && "tokens" in prompt) return prompt;
  if (typeof prompt !== "object" && prompt.length === 0) {
    throw new HfmsError("empty_input", "the prompt is empty", {
      param: "prompt",
      hint: "give the text that the model shall work on",
    });
  }
  if (alone && typeof prompt === "string") return prompt;
  throw new HfmsError(
    "invalid_request",
    `${manifest.model} has no chat template: it takes a text and answers it`,
    {
      hint: "give one text, without a system message or tools",
      param: tools?.length ? "tools" : system === undefined ? "prompt" : "system",
    },
  );
}

interface Task {
  /** Words before the text. */
  prefix: string;
  /** The token of the text's language. */
  source?: number;
  own: Partial<Answering>;
}

/**
 * Models tell tasks and languages in one of three ways: by words of config.json's task_specific_params (T5), by a word
 * `>>fra<<` of the vocabulary (opus-mt models with several targets), or by tokens of languages (NLLB, M2M100, mBART).
 */
function taskOf(model: LoadedModel, request: GenerateRequest): Task {
  const { manifest, tokenizer } = model;
  const { textTask, sourceLanguage, targetLanguage } = request;
  const answering = manifest.answering as Answering & { tasks: Record<string, AnsweringTask> };
  const named = namedTask(request);
  if (named !== undefined && Object.hasOwn(answering.tasks, named)) {
    const { prefix = "", ...own } = answering.tasks[named];
    return { prefix, own };
  }
  if (textTask !== undefined) throw unknownTask(manifest.model, textTask, Object.keys(answering.tasks));
  const languages = languageTokens(tokenizer);
  const { forcedFirst, start } = answering;
  if (languages.size === 0) {
    if (targetLanguage === undefined && sourceLanguage === undefined) return { prefix: "", own: {} };
    const word = `>>${targetLanguage}<<`;
    if (targetLanguage !== undefined && tokenizer.tokenToId(word) !== undefined)
      return { prefix: `${word} `, own: {} };
    throw unknownTask(
      manifest.model,
      named ?? `${sourceLanguage ?? targetLanguage}`,
      Object.keys(answering.tasks),
    );
  }
  const of = (param: "sourceLanguage" | "targetLanguage"): number | undefined => {
    const code = request[param];
    return code === undefined ? undefined : languageToken(languages, code, param);
  };
  const target = of("targetLanguage");
  // Some decoders begin with the language, others are made to say it first.
  const begins = [...languages.values()].includes(start);
  if (target === undefined && !begins && forcedFirst === undefined && manifest.modelType === "m2m_100") {
    throw unknownLanguage(
      `${manifest.model} translates into many languages: say which`,
      languages,
      "targetLanguage",
    );
  }
  const own = target === undefined ? {} : begins ? { start: target } : { forcedFirst: target };
  return { prefix: "", source: of("sourceLanguage"), own };
}

function namedTask({ textTask, sourceLanguage, targetLanguage }: GenerateRequest): string | undefined {
  if (textTask !== undefined) return textTask;
  if (sourceLanguage === undefined || targetLanguage === undefined) return undefined;
  return `translation_${sourceLanguage}_to_${targetLanguage}`;
}

/** The text's tokens with another language's token where the tokenizer puts that of its own default. */
function withLanguage({ tokenizer }: LoadedModel, tokens: number[], language: number): number[] {
  const languages = new Set(languageTokens(tokenizer).values());
  const at = [0, tokens.length - 1].find((i) => languages.has(tokens[i]));
  if (at === undefined) return [language, ...tokens];
  return tokens.with(at, language);
}

function unknownTask(model: string, name: string, known: string[]): HfmsError {
  const hint =
    known.length > 0 ? `it has settings for ${known.join(", ")}` : "give the text as the model expects it";
  return new HfmsError("invalid_request", `${model} knows nothing of ${name}`, { hint, param: "textTask" });
}

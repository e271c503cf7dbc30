import type { ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";
import type { JsonSchema, OutputFormat } from "./output-format.js";

export interface ChatMessage {
  role: "system" | "user" | "assistant" | "tool";
  content: string;
  /** What the assistant thought before it answered, where a template shows it. */
  reasoning?: string;
  /** What the assistant asked for. */
  toolCalls?: ToolCall[];
  /** Of a `tool` message: the call that it answers, and the function's name. */
  toolCallId?: string;
  name?: string;
}

/** A function that the model may ask for. */
export interface Tool {
  name: string;
  description?: string;
  /** Schema of the arguments, an object. */
  parameters?: JsonSchema;
}

export interface ToolCall {
  id: string;
  name: string;
  /** JSON text of an object. */
  arguments: string;
}

/** `required`: at least one call. A name: a call of that function. */
export type ToolChoice = "none" | "auto" | "required" | { name: string };

/** Sampling parameters, in the field's words (vLLM, TGI, OpenAI). Ranges are checked by `parseSampling`. */
export interface SamplingParams {
  /** 0 means greedy. ≥ 0. */
  temperature?: number;
  /** Keep the k most likely tokens; 0 or absent keeps all. */
  topK?: number;
  /** Keep the smallest set of tokens with this probability mass. (0, 1]. */
  topP?: number;
  /** Drop tokens less likely than minP × the likeliest. [0, 1]. */
  minP?: number;
  /** Keep the tokens whose surprise is nearest to the expected one, up to this mass (Meister et al. 2022). (0, 1]. */
  typicalP?: number;
  /** Divide (positive) or multiply (negative) logits of tokens seen in prompt or output. > 0; 1 is off. */
  repetitionPenalty?: number;
  /** Subtract per occurrence in the output. [-2, 2]. */
  frequencyPenalty?: number;
  /** Subtract once for tokens in the output. [-2, 2]. */
  presencePenalty?: number;
  /** Added to the logits, by token id. */
  logitBias?: Record<number, number>;
  /** The same seed gives the same text, alone and among other requests. Integer ≥ 0. */
  seed?: number;
  /** Tokens that must come before one that ends the answer. Integer ≥ 0. */
  minTokens?: number;
  /** Go on behind tokens that end an answer, up to the length limit. */
  ignoreEos?: boolean;
  /** Report log probabilities: of the chosen tokens (0), and of this many likeliest ones beside them. [0, 20]. */
  logprobs?: number;
}

/** A prompt whose tokens are known: at least one id. */
export interface TokenPrompt {
  tokens: number[];
}

/** How a model with an encoder answers; other models refuse these. */
export interface SourceTextParams {
  /** Follow this many answers side by side and give the likeliest. 1 is no search. Default: as the model's authors chose. */
  beams?: number;
  /** A finished answer counts its log probability divided by its length to this power: above 0 longer ones gain. */
  lengthPenalty?: number;
  /** No sequence of this many tokens comes twice in an answer; 0: any may. */
  noRepeatNgramSize?: number;
  /** Codes of languages as the model has them (`eng_Latn`, `en_XX`, `en`): of the text, and of the answer. */
  sourceLanguage?: string;
  targetLanguage?: string;
  /** A task that the model's config.json has settings for (task_specific_params), such as summarization. */
  textTask?: string;
}

export interface GenerateRequest extends ModelChoice, SamplingParams, SourceTextParams {
  /**
   * Text to continue, a conversation, or token ids as the model shall read them. A string goes through the chat template
   * as a user message unless `raw`; token ids never do.
   */
  prompt: string | ChatMessage[] | TokenPrompt;
  /** System message, put before a string prompt. */
  system?: string;
  /** No chat template: the prompt's tokens as they are. */
  raw?: boolean;
  /** Upper bound of new tokens; by default what the context has left. */
  maxTokens?: number;
  /** Texts that end the answer and are not part of it. */
  stop?: string[];
  /** Number of answers. Default 1. */
  n?: number;
  /** Make this many answers and return the `n` with the highest mean log probability. Not with streaming of text. */
  bestOf?: number;
  /** The prompt comes first in the text; with `logprobs`, its tokens' log probabilities too. Not of a conversation. */
  echo?: boolean;
  /** What the answer must look like. */
  format?: OutputFormat;
  tools?: Tool[];
  /** Default `auto` where there are tools. */
  toolChoice?: ToolChoice;
  /** May the model ask for several functions in one answer? Default true. */
  parallelToolCalls?: boolean;
  /**
   * How much the model shall think before it answers: `none`, or a word of its chat template such as `low`. An error for
   * models whose template knows of no such thing, unless it is `none`.
   */
  reasoningEffort?: string;
  /** More variables of the chat template, such as enable_thinking. */
  templateVariables?: Record<string, unknown>;
  /** Higher ones go first when requests wait. Default 0. */
  priority?: number;
  /** Guess ahead where the text repeats itself, and check the guesses in one run. Default true where it is exact enough. */
  speculation?: boolean;
  /** A smaller model with the same vocabulary that guesses ahead instead; a name like `model`. */
  draftModel?: string;
  /** The same tokens whatever else happens: no speculation. A seed implies it. */
  deterministic?: boolean;
}

export const finishReasons = ["stop", "length", "tool_calls"] as const;
export type FinishReason = (typeof finishReasons)[number];

export interface Usage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  /** Tokens of the prompt whose keys and values were there already. */
  cached_tokens: number;
}

/** Milliseconds, and rates in tokens per second. */
export interface Timings {
  load_ms: number;
  /** From the request's arrival until its prompt is begun: waiting for room. */
  queue_ms: number;
  prompt_ms: number;
  generate_ms: number;
  prompt_per_second: number;
  generate_per_second: number;
  /** Tokens that speculation proposed, and how many of them were right. */
  drafted_tokens?: number;
  accepted_tokens?: number;
}

/** Natural logarithms of probabilities under the model's own distribution: before penalties, temperature and masks. */
export interface TokenLogprob {
  token: number;
  logprob: number;
  /** The likeliest tokens, best first. */
  top: { token: number; logprob: number }[];
}

/** The same with what each token stands for: its bytes, and their text, U+FFFD where they are a part of a character. */
export interface SpelledLogprob {
  token: number;
  text: string;
  bytes: number[];
  /** null for the first token of an echoed prompt: it follows nothing. */
  logprob: number | null;
  top: { token: number; text: string; bytes: number[]; logprob: number }[];
}

/** One finished answer. */
export interface Choice {
  index: number;
  text: string;
  tokens: number[];
  finishReason: FinishReason;
  /** The stop string that ended it. */
  stop?: string;
  reasoning?: string;
  toolCalls?: ToolCall[];
  logprobs?: SpelledLogprob[];
}

/**
 * A piece of an answer as it comes. `index` says which of `n` answers. `reasoning` is what the model thinks before it
 * answers. A tool call comes as its id and name once, then fragments of its arguments' JSON text. `logprobs` are those
 * of `tokens`, but for a prompt's first one; a token that ends the answer has no text, and only the choice has it.
 */
export type AnswerEvent =
  | { type: "text"; index: number; text: string; tokens: number[]; logprobs?: SpelledLogprob[] }
  | { type: "reasoning"; index: number; text: string; tokens: number[]; logprobs?: SpelledLogprob[] }
  | {
      type: "tool_call";
      index: number;
      /** Position among the answer's calls. */
      call: number;
      id?: string;
      name?: string;
      arguments: string;
    };

export type GenerateEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | AnswerEvent
  | {
      type: "done";
      /** Of the first choice. */
      text: string;
      tokens: number[];
      finishReason: FinishReason;
      choices: Choice[];
      usage: Usage;
      timings: Timings;
    };

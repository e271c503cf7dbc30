import type { ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";

export const aggregations = ["none", "simple", "first", "average", "max"] as const;
/**
 * How labels of tokens become entities: `none` keeps tokens, `simple` joins neighbours of one label; the others first let
 * the tokens of a word agree, on the first one's label, the average of them or the surest. Source: transformers'
 * token-classification pipeline.
 */
export type Aggregation = (typeof aggregations)[number];

/** What runs of token heads end with. */
interface Done {
  type: "done";
  count: number;
  usage: { prompt_tokens: number; total_tokens: number };
  timings: { load_ms: number; run_ms: number };
}

type Before = NoticeEvent | ProgressEvent | ReadyEvent;

export interface ClassifyTokensRequest extends ModelChoice {
  input: string[];
  /** Default `simple`. */
  aggregation?: Aggregation;
  /** Labels that are left out; default `O`. */
  ignoreLabels?: string[];
  /** A text longer than the model's limit is read in windows that have so many tokens in common; not with `none`. */
  stride?: number;
  /** Without `stride`, a text longer than the model's limit is an error; `true` cuts it and says so. */
  truncate?: boolean;
}

export interface Entity {
  /** Without the B- and I- of its beginning, unless `aggregation` is `none`. */
  label: string;
  /** A probability. */
  score: number;
  /** As the tokenizer writes it; the text itself has it from `start` to `end`. */
  word: string;
  /** In UTF-16 units of the text, as JavaScript's `slice` counts. */
  start: number;
  end: number;
  /** Which of the row's tokens it is, special ones included; only where `aggregation` is `none`. */
  token?: number;
}

/** One `entities` for each text, in their order. */
export type ClassifyTokensEvent =
  | Before
  | { type: "entities"; index: number; entities: Entity[]; tokens: number; truncated?: boolean }
  | Done;

export interface QuestionInput {
  question: string;
  /** What the answer is a part of; of any length. */
  context: string;
}

export interface AnswerQuestionsRequest extends ModelChoice {
  input: QuestionInput[];
  /** How many answers; default 1. */
  topK?: number;
  /** Tokens of the longest answer; default 15. */
  maxAnswerTokens?: number;
  /** Tokens of question and piece of the context together; default 384, or what the model takes. */
  maxTokens?: number;
  /** Tokens that neighbouring pieces of the context have in common; default 128, or half of `maxTokens`. */
  stride?: number;
  /** The best answer may be that there is none: an empty text. Default false. */
  allowNone?: boolean;
}

export interface SpanAnswer {
  answer: string;
  /** Probabilities of its first and its last token, multiplied. */
  score: number;
  /** In UTF-16 units of the context. */
  start: number;
  end: number;
}

/** One `span` for each question, in their order. */
export type AnswerQuestionsEvent =
  | Before
  | {
      type: "span";
      index: number;
      /** Best first. */
      answers: SpanAnswer[];
      tokens: number;
    }
  | Done;

export interface FillMasksRequest extends ModelChoice {
  /** Texts with the model's mask token in them. */
  input: string[];
  /** How many tokens for each mask; default 5. */
  topK?: number;
  /** Only these words; the first token of each counts. Their scores stay those among all tokens. */
  targets?: string[];
}

export interface Filling {
  /** Id of the token. */
  token: number;
  text: string;
  /** Its probability at this mask, whatever stands at the others. */
  score: number;
  /** The text with the token in the mask's place. */
  sequence: string;
}

/** One `fillings` for each text, in their order. */
export type FillMasksEvent =
  | Before
  | {
      type: "fillings";
      index: number;
      /** For each mask, best first. */
      masks: Filling[][];
      tokens: number;
    }
  | Done;

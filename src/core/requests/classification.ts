import type { ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";

/** A text, or two that are judged together: a premise and a hypothesis, a question and an answer. */
export type ClassifyInput = string | { text: string; pair: string };

export interface ClassifyRequest extends ModelChoice {
  input: ClassifyInput[];
  /** Return only the best k labels. Whole number ≥ 1; absent returns all. */
  topK?: number;
  /** The model's logits instead of probabilities. */
  raw?: boolean;
  /** A text longer than the model's limit is an error; `true` cuts it and says so. */
  truncate?: boolean;
}

/** Which text of an input was cut to fit the model: the text (the query), its pair (the document), or both. */
export type TruncatedPart = "first" | "second" | "both";

export interface LabelScore {
  label: string;
  /**
   * A probability: of this label among all where one label fits (softmax), by itself where several may (sigmoid). The
   * number itself where the model predicts a quantity, or with `raw`.
   */
  score: number;
}

/** One label fits, any number of them do, or the numbers are quantities. transformers' `problem_type`. */
export type ClassificationProblem =
  | "single_label_classification"
  | "multi_label_classification"
  | "regression";

/** One `classification` for each input, in its order. */
export type ClassifyEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | {
      type: "classification";
      index: number;
      /** Best first. */
      labels: LabelScore[];
      /** Of the input as the model sees it, special tokens included. */
      tokens: number;
      truncated?: TruncatedPart;
    }
  | {
      type: "done";
      count: number;
      /** What the model was trained for: how its labels are to be read. */
      problem: ClassificationProblem;
      usage: { prompt_tokens: number; total_tokens: number };
      timings: { load_ms: number; classify_ms: number };
    };

export interface RankRequest extends ModelChoice {
  query: string;
  /** Each is scored with the query, by itself. */
  documents: string[];
  /**
   * `true`: the model's logit. `false`: its sigmoid, between 0 and 1. Absent: what the model's files say
   * (sentence-transformers' activation function), the sigmoid where they say nothing.
   */
  raw?: boolean;
  /** Query and document longer than the model's limit are an error; `true` cuts the longer of the two and says so. */
  truncate?: boolean;
}

/** One `score` for each document, in the request's order: sorting is the caller's. Higher is better. */
export type RankEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | { type: "score"; index: number; score: number; tokens: number; truncated?: TruncatedPart }
  | {
      type: "done";
      count: number;
      usage: { prompt_tokens: number; total_tokens: number };
      timings: { load_ms: number; rank_ms: number };
    };

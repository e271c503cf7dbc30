import type { ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";
import type { ChatMessage, Tool } from "./generation.js";

export interface TokenizeRequest extends ModelChoice {
  /** Texts, and conversations, which go through the model's chat template. */
  texts: (string | ChatMessage[])[];
  /** The special tokens around a text, as the model reads it: default true. A template writes its own. */
  addSpecialTokens?: boolean;
  /** Also tell the vocabulary's strings for the ids. */
  words?: boolean;
  /** Of conversations: functions that the model may call, and more variables of the template. */
  tools?: Tool[];
  templateVariables?: Record<string, unknown>;
}

/** One `tokens` for each text, in its order. */
export type TokenizeEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  /** `words`, where asked for: the vocabulary's own strings for the ids; "" for an id without one. */
  | { type: "tokens"; index: number; ids: number[]; words?: string[] };

export interface DetokenizeRequest extends ModelChoice {
  /** Token ids of each text. */
  tokens: number[][];
  /** Leave out special tokens ([CLS], BOS). Default false. */
  skipSpecialTokens?: boolean;
}

/** One `text` for each list of ids, in its order; incomplete UTF-8 at an end becomes U+FFFD. */
export type DetokenizeEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | { type: "detokenized"; index: number; text: string };

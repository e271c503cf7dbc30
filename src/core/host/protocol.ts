import type { Config } from "../config.js";
import type {
  AnswerQuestionsEvent,
  AnswerQuestionsRequest,
  ClassifyEvent,
  ClassifyRequest,
  ClassifyTokensEvent,
  ClassifyTokensRequest,
  DetokenizeEvent,
  DetokenizeRequest,
  EmbedEvent,
  EmbedInput,
  EmbedRequest,
  FillMasksEvent,
  FillMasksRequest,
  GenerateEvent,
  GenerateRequest,
  ModelChoice,
  NoticeEvent,
  PreparedModel,
  ProgressEvent,
  RankEvent,
  RankRequest,
  ReadyEvent,
  TokenizeEvent,
  TokenizeRequest,
} from "../requests.js";
import type { WireError } from "./wire-error.js";

/** What a host can be asked to do: the request, the events on the way, and the result behind the last one. */
export interface Calls {
  /** Everything up to the built graph on the disk. */
  prepare: { request: ModelChoice; event: NoticeEvent | ProgressEvent; result: PreparedModel };
  load: {
    request: { choice: ModelChoice; task?: string };
    event: NoticeEvent | ProgressEvent | ReadyEvent;
    result: undefined;
  };
  generate: { request: GenerateRequest; event: GenerateEvent; result: undefined };
  tokenize: { request: TokenizeRequest; event: TokenizeEvent; result: undefined };
  detokenize: { request: DetokenizeRequest; event: DetokenizeEvent; result: undefined };
  embed: { request: EmbedRequest; event: EmbedEvent; result: undefined };
  classify: { request: ClassifyRequest; event: ClassifyEvent; result: undefined };
  rank: { request: RankRequest; event: RankEvent; result: undefined };
  classifyTokens: { request: ClassifyTokensRequest; event: ClassifyTokensEvent; result: undefined };
  answerQuestions: { request: AnswerQuestionsRequest; event: AnswerQuestionsEvent; result: undefined };
  fillMasks: { request: FillMasksRequest; event: FillMasksEvent; result: undefined };
}

export type Method = keyof Calls;

/** The engine as a host needs it. */
export type HostedEngine = {
  [M in Method]: (
    request: Calls[M]["request"],
    signal: AbortSignal,
  ) => AsyncGenerator<Calls[M]["event"], unknown>;
};

/**
 * From the engine's process to a host. `open` comes first. A call's events are sent as far as `credit` goes; the call
 * itself brings EVENT_WINDOW of it. Texts of a streamed input are sent as far as the host's `want` goes.
 */
export type ToHost =
  | { type: "open"; config: Config; title: string }
  /** `streamed`: the request's `input` comes in `input` messages. */
  | { type: "call"; id: number; method: Method; request: Calls[Method]["request"]; streamed?: boolean }
  | { type: "credit"; id: number; events: number }
  | { type: "abort"; id: number }
  | { type: "input"; id: number; texts: EmbedInput[]; last?: boolean }
  | { type: "input_error"; id: number; error: WireError }
  | { type: "ping"; id: number }
  /** Stop everything and end. */
  | { type: "close" };

/** From a host to the engine's process, in lists. A call ends with one `end` or `error`. */
export type FromHost =
  | { type: "event"; id: number; event: Calls[Method]["event"] }
  | { type: "end"; id: number; result: Calls[Method]["result"] }
  | { type: "error"; id: number; error: WireError }
  | { type: "want"; id: number; texts: number }
  /** The reader of the input needs no more of it. */
  | { type: "enough"; id: number }
  /** `memory`: bytes of the process that are in memory. */
  | { type: "pong"; id: number; memory: number };

/** Events of one call that may be under way or unread: a reader that stops reading stops the host after so many. */
export const EVENT_WINDOW = 64;

/** The same for texts on their way to a host. */
export const INPUT_WINDOW = 1024;

import type {
  DeviceName,
  Dtype,
  KvCacheDtype,
  ModelChoice,
  NoticeEvent,
  ProgressEvent,
  ReadyEvent,
} from "../requests.js";
import type { BenchCase, BenchResult } from "./result.js";

/** What is measured: every combination of the lists, model by model. Defaults are those of `benchDefaults`. */
export interface BenchRequest extends Pick<ModelChoice, "source" | "revision"> {
  models: string[];
  /** Exact lengths of prompts, in tokens. */
  promptTokens?: number[];
  /** Exact lengths of answers, in tokens. */
  maxTokens?: number[];
  /** Numbers of requests at the same time. */
  batch?: number[];
  dtypes?: Dtype[];
  /** Number format of keys and values, of all cases. */
  kvCacheDtype?: KvCacheDtype;
  devices?: (DeviceName | "auto")[];
  /** Texts of one request to an embedding model. */
  texts?: number;
  /** Runs of each case before those that count. */
  warmup?: number;
  /** Runs of each case that count. 1 or more. */
  repeats?: number;
  /** Which texts are used. Integer ≥ 0. */
  seed?: number;
  /** Let the engine guess ahead. Off: greedy answers without an end repeat themselves, and flatter it. */
  speculation?: boolean;
  /** Stored with the result: what was typed. */
  arguments?: string[];
}

export const benchDefaults = {
  promptTokens: [64],
  maxTokens: [64],
  batch: [1],
  dtypes: ["auto"],
  devices: ["auto"],
  texts: 32,
  warmup: 1,
  repeats: 3,
  seed: 0,
  speculation: false,
  arguments: [],
} satisfies Omit<BenchRequest, "models">;

/** A request with everything said. */
export type BenchSettings = BenchRequest &
  Required<Omit<BenchRequest, "source" | "revision" | "kvCacheDtype">>;

/** One run of one case has begun. */
export interface BenchRunEvent {
  type: "run";
  case: BenchCaseKey;
  /** 1 … warmup + repeats. */
  run: number;
  runs: number;
  /** Runs of all cases that are known so far: done, and in all. */
  done: number;
  total: number;
}

export type BenchEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | BenchRunEvent
  | { type: "case"; case: BenchCase; result: BenchResult }
  | { type: "done"; result: BenchResult };

export type BenchCaseKey = Pick<
  BenchCase,
  "task" | "model" | "device" | "dtype" | "prompt_tokens" | "max_tokens" | "texts" | "batch"
>;

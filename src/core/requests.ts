/** The nouns that cross the engine's border: what commands and routes ask, and what they get back. */

export * from "./requests/classification.js";
export * from "./requests/generation.js";
export * from "./requests/output-format.js";
export * from "./requests/token-heads.js";
export * from "./requests/tokens.js";

export const dtypes = ["auto", "fp32", "int8", "int4"] as const;
/** Weights' number format of the built graph. `auto` picks by model size and measured loss. */
export type Dtype = (typeof dtypes)[number];

export const kvCacheDtypes = ["auto", "fp32", "int8"] as const;
/** Number format of a decoder's keys and values. `auto` is fp32; int8 takes a quarter of the memory. */
export type KvCacheDtype = (typeof kvCacheDtypes)[number];

export const deviceNames = ["cpu", "cuda", "rocm", "mps", "openvino", "qnn", "webgpu", "directml"] as const;
export type DeviceName = (typeof deviceNames)[number];

export const sourceNames = ["hub", "local", "package"] as const;
export type SourceName = (typeof sourceNames)[number];

/** What every request that runs a model says. */
export interface ModelChoice {
  /** Skill (`hf_gpt2`), alias (`smollm2`), Hub id (`org/name[@revision][:quant]`), directory, or `.gguf` file. */
  model: string;
  dtype?: Dtype;
  kvCacheDtype?: KvCacheDtype;
  device?: DeviceName | "auto";
  /** Refuse instead of falling back when `device` can't be used. */
  requireDevice?: boolean;
  source?: SourceName | "auto";
  revision?: string;
  /** May `model` be a folder or file of this machine? Default true; a server says no. */
  allowPaths?: boolean;
  /**
   * Milliseconds that the model stays in memory after its last request; -1 (any negative number): until it is unloaded;
   * 0: no longer than needed. Absent: what an earlier request said, or the configuration. Model hosts keep to it; models
   * in the engine's own process stay until they are unloaded.
   */
  keepAlive?: number;
}

/** Something the user should know and that is not an error: a fallback, a choice that `auto` made. */
export interface NoticeEvent {
  type: "notice";
  message: string;
}

/** Long work on the way to a result. `total` is absent when it is not known. Units: bytes, of a graph's weights for `convert`. */
export interface ProgressEvent {
  type: "progress";
  phase: "resolve" | "download" | "convert" | "load" | "export" | "measure";
  /** File or model that is worked on. */
  what: string;
  done: number;
  total?: number;
  unit: "bytes" | "tensors" | "positions";
}

/** The model is ready; what was chosen and why. */
export interface ReadyEvent {
  type: "ready";
  model: string;
  /** Commit of the Hub, or a content key of a local model. */
  revision: string;
  source: SourceName;
  modelType: string;
  task: string;
  device: DeviceName;
  dtype: Exclude<Dtype, "auto">;
  /** Absent: fp32, or a model without keys and values. */
  kvCacheDtype?: "int8";
  /** One plain sentence each: why this dtype, why this device. */
  dtypeReason: string;
  deviceReason: string;
  contextLength: number;
  loadMs: number;
}

export const poolings = ["auto", "mean", "cls", "last"] as const;
export type Pooling = (typeof poolings)[number];

/** A text; or the token ids that the model shall read, special tokens included: no prefix goes before those. */
export type EmbedInput = string | number[];

export interface EmbedRequest extends ModelChoice {
  /** Texts, or a stream of them (lines of stdin); vectors come in the same order. */
  input: Iterable<EmbedInput> | AsyncIterable<EmbedInput>;
  pooling?: Pooling;
  /** By default what the model's sentence-transformers files say. */
  normalize?: boolean;
  /** Keep the first n components (Matryoshka), then normalise again. */
  dimensions?: number;
  /** Put before each text; or the name of one of the model's prompts, as `promptName`. */
  prefix?: string;
  promptName?: string;
  /** Upper bound of padded tokens in one run. */
  batchTokens?: number;
  /** A text longer than the model's limit is an error; `true` cuts it and says so. */
  truncate?: boolean;
}

export type EmbedEvent =
  | NoticeEvent
  | ProgressEvent
  | ReadyEvent
  | { type: "embedding"; index: number; embedding: Float32Array; tokens: number; truncated?: boolean }
  | {
      type: "done";
      count: number;
      usage: { prompt_tokens: number; total_tokens: number };
      timings: { load_ms: number; embed_ms: number };
    };

export interface PullRequest {
  model: string;
  source?: SourceName | "auto";
  revision?: string;
  /** Also build the graph in this number format. */
  dtype?: Dtype;
  dryRun?: boolean;
}

/** A file of a repository, as a source lists it. */
export interface RepoFile {
  /** Path inside the repository, with forward slashes. */
  path: string;
  size: number;
}

export type PullEvent =
  | NoticeEvent
  | ProgressEvent
  | {
      type: "plan";
      model: string;
      source: SourceName;
      revision: string;
      files: (RepoFile & { cached: boolean })[];
    }
  | {
      type: "done";
      model: string;
      source: SourceName;
      revision: string;
      directory: string;
      files: RepoFile[];
      bytes: number;
    };

export interface ExportRequest extends Pick<ModelChoice, "model" | "revision" | "source" | "dtype"> {
  /** The folder to write; it must not be there yet. */
  to: string;
}

export type ExportEvent =
  | NoticeEvent
  | ProgressEvent
  | {
      type: "done";
      model: string;
      revision: string;
      dtype: Exclude<Dtype, "auto">;
      /** Absolute. */
      directory: string;
      files: RepoFile[];
    };

/** How far a number format moves a model from fp32, on a fixed text of the language of most models. */
export interface DriftReport {
  dtype: Exclude<Dtype, "auto">;
  /** Bytes of the graph's weights. */
  weightsSize: number;
  /** Positions of the text that were compared; of an encoder, sentences. */
  positions: number;
  /** Of logits; of an encoder, the means of last_hidden_state. Mean and least. */
  cosine: number;
  leastCosine: number;
  /** Decoders: of the text, in fp32 and in the number format. */
  referencePerplexity?: number;
  perplexity?: number;
  /** Decoders: how often both hold the same token for the most likely one, 0 to 1. */
  agreement?: number;
}

export interface QualityRequest extends Pick<ModelChoice, "model" | "revision" | "source"> {
  /** What to compare with fp32; int8 and int4 by default. */
  dtypes?: Exclude<Dtype, "auto" | "fp32">[];
}

export type QualityEvent = NoticeEvent | ProgressEvent | { type: "done"; drifts: DriftReport[] };

/** One model on this machine (`hfms list`). */
export interface LocalModel {
  model: string;
  aliases: string[];
  source: SourceName;
  revisions: string[];
  modelType?: string;
  task?: string;
  /** Bytes of downloaded files. */
  size: number;
  /** Graphs built from it. */
  graphs: {
    dtype: Exclude<Dtype, "auto">;
    /** Absent: fp32. */
    kvCacheDtype?: "int8";
    revision: string;
    size: number;
    directory: string;
  }[];
  directory: string;
  /** ISO 8601. */
  lastUsed?: string;
}

/** What a model on this machine can be asked, as far as its files say. */
export interface ModelAbilities {
  /** Hub pipeline tags, the main one first; none for a model that hfms does not run. */
  tasks: string[];
  contextLength?: number;
  chatTemplate: boolean;
  /** Its chat template shows tools to the model. */
  toolTemplate: boolean;
  /** When it came to this machine. ISO 8601. */
  added?: string;
}

/** What a model's name means. */
export interface ResolvedName {
  /** Hub id, or absolute path. */
  model: string;
  aliases: string[];
  /** Tasks of its skill, where it has one. */
  tasks?: string[];
}

/** A model whose graph is on this machine, and what it takes to run it. */
export interface PreparedModel {
  model: string;
  revision: string;
  dtype: Exclude<Dtype, "auto">;
  tasks: string[];
  /** The graph's folder: the same for every name that means the same model, commit and dtype. */
  directory: string;
  contextLength: number;
  /** Bytes that a process of its own will take with it, by experience. */
  memoryNeed: number;
}

/** A model in memory, or on its way there. Times are milliseconds since 1970. */
export interface RunningModel {
  /** The Hub's id or the path, or what was asked for while that is not known. */
  model: string;
  revision?: string;
  dtype: Dtype;
  /** Absent: fp32, or a model without keys and values. */
  kvCacheDtype?: "int8";
  device: DeviceName;
  state: "loading" | "ready" | "restarting" | "failed";
  /** Why it restarts or failed. */
  reason?: string;
  /** The process that runs it; absent while there is none. */
  pid?: number;
  /** Bytes of that process in memory, as it says itself. */
  memory?: number;
  /** The process did not answer in time. */
  unresponsive?: boolean;
  since: number;
  lastUsed: number;
  /** Requests that use it now. */
  inUse: number;
  /** When it will be unloaded if nobody asks for it. */
  keepAliveUntil?: number;
  /** It stays until it is unloaded, also when memory is short. */
  pinned: boolean;
}

export interface ModelInfo {
  model: string;
  skill?: string;
  aliases: string[];
  source?: SourceName;
  revision?: string;
  modelType?: string;
  tasks: string[];
  license?: string;
  parameters?: number;
  contextLength?: number;
  vocabularySize?: number;
  layers?: number;
  hiddenSize?: number;
  chatTemplate?: boolean;
  /** What runs it here, or why nothing does. */
  runnable: { yes: boolean; reason: string };
  files: (RepoFile & { cached: boolean })[];
  graphs: LocalModel["graphs"];
  directory?: string;
  /** What is not as usual: the source is out of reach, so less is known, or another one was asked. */
  notices: string[];
}

export interface RemovedModel {
  model: string;
  bytes: number;
  directories: string[];
}

export interface DiscoverQuery {
  text?: string;
  task?: string;
  architecture?: string;
  hardware?: DeviceName;
  model?: string;
  /** Only what fits into this machine's memory. */
  fits?: boolean;
  /** Only what this build can run here. */
  runnable?: boolean;
}

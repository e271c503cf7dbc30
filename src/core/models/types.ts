import type { GraphBuilder } from "../graph/builder.js";
import type { BuildContext, ModelWeights } from "../graph/model-weights.js";
import type { ClassificationProblem } from "../requests.js";
import type { MetadataValue } from "../weights/types.js";
import type { Part } from "./parts.js";
import type { Shapes } from "./shapes.js";

/**
 * An architecture is one file of this folder, named after config.json's `model_type` and listed in index.ts. It reads
 * the configuration and composes the blocks of core/graph/blocks in the order of the forward pass.
 */
export interface Architecture<C = unknown> {
  modelType: string;
  /** Hub pipeline tags that the built graph serves, the main one first. */
  tasks: string[];
  /**
   * The tags that a model serves before those, where its config.json names a class with another head. With the weights
   * only if they have that head.
   */
  headTasks?(config: Record<string, unknown>, weights?: ModelWeights): string[];
  /** Prefixes of the base model in tensor names (`model.`, `transformer.`, `bert.`); they are cut off. */
  prefixes: string[];
  /** Other names that older files use, after the prefix is cut. */
  rename?(tensor: string): string;
  /** Names (prefix cut) of matrices that checkpoints store [in, out]; the graph always sees [out, in]. */
  conv1d?(tensor: string): boolean;
  /** Modules that the graph wants and the files have as rows of others. */
  parts?(config: C, format: "checkpoint" | "gguf"): Record<string, Part>;
  gguf?: GgufMapping;
  /** Of encoder-decoders: what the model_type's configuration says of answers where config.json says nothing. */
  answering?: Record<string, unknown>;
  /** Checks config.json and picks what the graph needs. Throws corrupt_file or unsupported_model naming the field. */
  parseConfig(config: Record<string, unknown>): C;
  /** The shapes that the configuration gives the weights; other ones are refused before the graph is built. */
  shapes(config: C): Shapes;
  build(g: GraphBuilder, config: C, ctx: BuildContext): GraphInfo;
  /** The graph of the layers that read whole texts, of a model that otherwise writes some; absent: it can't be cut out. */
  buildEncoder?(g: GraphBuilder, config: C, ctx: BuildContext): EncoderInfo;
}

/** How GGUF says what config.json and the PyTorch names say. */
export interface GgufMapping {
  /** config.json's fields out of the GGUF metadata. */
  config(metadata: ReadonlyMap<string, MetadataValue>, tensors: ReadonlySet<string>): Record<string, unknown>;
  /** PyTorch's name for a GGUF tensor. `N` stands for the layer. */
  tensors: Record<string, string>;
  /** PyTorch names whose rows llama.cpp's converter reordered for interleaved rotation, with their head size. */
  interleaved?(tensor: string, config: Record<string, unknown>): number | undefined;
}

/** What the runtime must know about a built graph. */
export type GraphInfo = DecoderInfo | EncoderInfo | EncoderDecoderInfo;

export interface DecoderInfo {
  kind: "decoder";
  layers: number;
  /** Of queries. */
  heads: number;
  kvHeads: number;
  headDim: number;
  vocabularySize: number;
  /** Hard bound of prompt plus answer, in tokens. */
  contextLength: number;
  /** The graph takes position_ids: learned positions, or rows of rotation. */
  positionIds: boolean;
  /** A text that will be longer than this has other rows of rotation, for all of its positions: those from here on. */
  longFrom?: number;
  /** What keys and values are held in; absent: float32. */
  cacheType?: "float32" | "int8";
  /** Components of a head that positions rotate; absent: none. */
  rotaryDim?: number;
  /** Neighbours rotate together. */
  rotaryInterleaved?: boolean;
}

/** Two graphs over the same weights: the decoder's, and beside it encoder.onnx. */
export interface EncoderDecoderInfo {
  kind: "encoder-decoder";
  /** Of the decoder, as are heads and their size. */
  layers: number;
  heads: number;
  kvHeads: number;
  headDim: number;
  hiddenSize: number;
  vocabularySize: number;
  /** Tokens that the encoder takes. */
  contextLength: number;
  /** Positions of the decoder: what the answer begins with counts. */
  answerLength: number;
}

export interface EncoderInfo {
  kind: "encoder";
  hiddenSize: number;
  vocabularySize: number;
  /** Positions that the model has. */
  contextLength: number;
  /** The graph has a second output `logits` [batch_size, labels]. */
  classifier?: ClassifierInfo;
  /** The graph has a second output `logits`, of tokens. */
  tokenHead?: TokenHeadInfo;
}

/** What a head says of tokens. */
export type TokenHeadInfo =
  /** logits [batch_size, sequence_length, labels]. */
  | { task: "token-classification"; labels: string[] }
  /** logits [batch_size, sequence_length, 2]: how well an answer begins and ends at a token. */
  | { task: "question-answering"; segments: number }
  /** logits [n, vocabulary] of the places among batch · sequence that the input logits_indices [n] names. */
  | { task: "fill-mask"; vocabulary: number };

/** What a sequence classification head says. */
export interface ClassifierInfo {
  labels: string[];
  problem: ClassificationProblem;
  /** Segments (token_type_ids) that the model tells apart; 0: it does not know of any. */
  segments: number;
  /** sentence-transformers' activation function of a ranking score, by its class: Sigmoid, Identity. */
  activation?: string;
}

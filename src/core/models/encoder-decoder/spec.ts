import type { Activation } from "../../graph/blocks/activation.js";

/** What the graph of an encoder-decoder is made of. Modules are named as in the file, prefix cut. */
export interface EncoderDecoderSpec {
  hidden: number;
  encoder: StackSpec;
  decoder: StackSpec;
  /** `pre`: norms stand before what they norm, with one more behind the last layer. `post`: behind the residual's sum. */
  order: "pre" | "post";
  norm: { kind: "rms" | "layer"; epsilon: number };
  /** Linear layers have biases. */
  bias: boolean;
  /** Factor on q · kᵀ; headDim^-½ by default. */
  attentionScale?: number;
  /** The decoder's table serves where the file has no such module. `bias` is a tensor [1, vocabulary]. */
  head: { module: string; tied: boolean; bias?: string; scale?: number };
  /** Tokens that the encoder takes, and that the decoder has positions for. */
  contextLength: number;
  answerLength: number;
}

/** One of the two stacks of layers. */
export interface StackSpec {
  heads: number;
  headDim: number;
  /** Inner size of the MLP. */
  inner: number;
  activation: Activation;
  layers: LayerSpec[];
  /** The table of tokens, and a factor on its vectors. */
  table: string;
  tableScale?: number;
  positions?: PositionSpec;
  /** A norm of what goes into the first layer; `words`: of the tokens' vectors, before positions are added. */
  embeddingNorm?: { module: string; of: "words" | "sum" };
  /** Behind the last layer, where norms stand before what they norm. */
  finalNorm?: string;
  /** Biases by distance: the layer's tensor, which layers may share. */
  relativeBias?: { tensors: string[]; buckets: number; maxDistance: number };
}

export interface LayerSpec {
  /** Its scope in the graph. */
  name: string;
  self: AttentionSpec;
  /** To the source text; only of decoders. */
  cross?: AttentionSpec;
  /** `up` has two modules, gate and up, where the MLP is gated. */
  mlp: { up: string[]; down: string; norm: string };
}

export interface AttentionSpec {
  query: string;
  key: string;
  value: string;
  output: string;
  norm: string;
}

/** Vectors that are added by position. */
export interface PositionSpec {
  module: string;
  /** The row of position 0. */
  offset: number;
  /** [rows, hidden], where the file does not have the module. */
  computed?: { rows: number; values: () => Float32Array };
}

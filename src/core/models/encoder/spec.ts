import type { Activation } from "../../graph/blocks/activation.js";
import type { RelativeBias } from "../../graph/blocks/relative-bias.js";
import type { Rope } from "../../graph/blocks/rope.js";

/**
 * An encoder as data: what its configuration makes of the blocks. A model's file writes one down, build.ts composes the
 * graph and shapes.ts checks the weights. Modules are named as in the PyTorch class, the prefix of the base model cut off.
 */
export interface EncoderSpec {
  hidden: number;
  heads: number;
  /** Width of the MLP. */
  inner: number;
  epsilon: number;
  activation: Activation;
  /** How many tokens the configuration allows for. */
  contextLength: number;
  embeddings: EmbeddingsSpec;
  /** Layers that share their parameters are one object. */
  layers: readonly LayerModules[];
  /** `post`: norm(x + attention(x)), then norm(x + mlp(x)). `pre`: x + attention(norm(x)), then x + mlp(norm(x)). */
  residual: "post" | "pre";
  /** Module of the norm behind the last layer; only with `pre`, and not in all of those. */
  finalNorm?: string;
  /** Rotation of q and k. */
  rope?: Rope;
  /** Tensors of which the first that a file has says what a position turns each pair of components by. */
  ropeFrequencies?: readonly string[];
  /** Rotates v, too. */
  rotatedValues?: boolean;
  /** Added to the scores of every layer. */
  relativeBias?: RelativeBias;
}

export interface EmbeddingsSpec {
  /** Width of the tables, where it is not the hidden size. */
  size?: number;
  /** The table of tokens. */
  word: string;
  /** What a row's tokens are multiplied with when some of them are masked. */
  tokenDropout?: TokenDropout;
  /** The table of segments. */
  type?: string;
  /** The table of positions. */
  position?: string;
  /** The token that is no text: positions begin behind its number and it has none. Absent: they begin at 0. */
  padding?: number;
  /** Tables of which every token gets row 0, because text has nothing else: layouts, tasks. */
  constant?: readonly string[];
  norm?: string;
  /** The linear layer that leads from `size` to the hidden size. */
  projection?: string;
}

/** ESM's: masked tokens are zeros, and the others grow by what they would have grown in training. */
export interface TokenDropout {
  maskToken: number;
  /** Share of the tokens that training masked. */
  trained: number;
}

/** Linear layers and norms of one layer. */
export interface LayerModules {
  query: string;
  key: string;
  value: string;
  attentionOutput: string;
  attentionNorm: string;
  up: string;
  down: string;
  mlpNorm: string;
}

/** The modules of every layer, out of names in which `N` stands for the layer. */
export function layerModules(names: LayerModules, count: number): LayerModules[] {
  return Array.from({ length: count }, (_, layer) => {
    const numbered = Object.entries(names).map(([role, name]) => [
      role,
      name.replace(/\bN\b/, String(layer)),
    ]);
    return Object.fromEntries(numbered) as LayerModules;
  });
}

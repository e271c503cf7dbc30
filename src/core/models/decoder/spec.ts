import type { Activation } from "../../graph/blocks/activation.js";
import type { Alibi } from "../../graph/blocks/alibi.js";
import type { HeadNorms } from "../../graph/blocks/head-norm.js";
import type { Delta } from "../../graph/blocks/mlp.js";
import type { AnyNorm } from "../../graph/blocks/norm.js";
import type { QueryGrowth } from "../../graph/blocks/query-growth.js";
import type { Rope } from "../../graph/blocks/rope.js";
import type { GraphBuilder, Value } from "../../graph/builder.js";
import type { BuildContext } from "../../graph/model-weights.js";
import type { Part } from "../parts.js";
import type { Shapes } from "../shapes.js";

/**
 * A decoder as data: what its configuration makes of the blocks. A model's file writes one down, build.ts composes the
 * graph and checks the shapes. Modules are named as in the PyTorch class, the prefix of the base model cut off.
 */
export interface DecoderSpec {
  hidden: number;
  /** Hard bound of prompt plus answer, in tokens. */
  contextLength: number;
  embedding: EmbeddingSpec;
  /** Rotations by name; layers say which one is theirs. */
  ropes?: Record<string, Rope>;
  layers: LayerSpec[];
  /** Behind the last layer; absent where layers norm their own sums. */
  norm?: NormSpec;
  head: HeadSpec;
  /** Tokens see both sides of a text, and a window reaches to both; such a model writes nothing. */
  sees?: "both";
}

/** All but the head. */
export type LayersSpec = Omit<DecoderSpec, "head">;

/** Layers whose last hidden states are the output. */
export type EncoderLayersSpec = LayersSpec & Pick<Required<DecoderSpec>, "sees">;

/** A norm and its module; a norm without weights has its scope's name only. */
export type NormSpec = {
  kind: "rms" | "layer";
  module: string;
  epsilon: number;
  /** The module has a bias. */
  bias?: boolean;
  /** Added to every weight: 1 where the model keeps what its weights are above 1. */
  offset?: number;
  /** The norm has no weights. */
  bare?: boolean;
};

export interface EmbeddingSpec {
  /** Module of the table of tokens. */
  tokens: string;
  /** Width of the table where it is not the hidden size; `projection` leads to that. */
  size?: number;
  projection?: string;
  /** Factor on the rows. */
  scale?: number;
  positions?: LearnedPositions | ComputedPositions;
  /** Module of the table of segments; of encoders only. */
  segments?: string;
  norm?: NormSpec;
}

/** A table of positions; position 0 has row `offset`. */
export interface LearnedPositions {
  module: string;
  offset?: number;
}

/** Rows [contextLength, hidden] that no file has. */
export interface ComputedPositions {
  rows(count: number, hidden: number): Float32Array;
}

export interface LayerSpec {
  /** The layer's scope and the beginning of its modules' names: `layers.0`. */
  name: string;
  /**
   * `pre`: x + attn(norm x), then x + mlp(norm x). `parallel`: x + attn(norm x) + mlp(norm x). `post`: norm(x + attn x),
   * then norm(x + mlp x).
   */
  residual: "pre" | "parallel" | "post";
  norms: {
    /** Of what attention reads (of the sum behind it, where residual is post). Absent: it reads x itself. */
    attention?: NormSpec;
    /** Of what attention gives, before it is added. */
    attentionOutput?: NormSpec;
    /** Of what the MLP reads; absent in parallel layers: what attention reads. */
    mlp?: NormSpec;
    mlpOutput?: NormSpec;
  };
  attention: AttentionSpec;
  mlp: GatedMlpSpec | PlainMlpSpec | OwnMlpSpec;
  /** Factor on what attention and MLP give, before it is added. */
  branchScale?: number;
}

export interface AttentionSpec {
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Modules of q, k and v, or one that has all three; with or without biases. */
  qkv: LinearSpec;
  output: LinearSpec;
  /** Name of the rotation in `ropes`; absent: none. */
  rope?: string;
  norms?: HeadNorms;
  /** Rotation comes before the norms of q and k. */
  rotateFirst?: boolean;
  /** Factor on q · kᵀ; headDim^-½ by default. */
  scale?: number;
  growth?: QueryGrowth;
  /** How many positions a query sees, itself among them. */
  window?: number;
  softcap?: number;
  clip?: number;
  alibi?: Alibi;
  /** Tensor of the attention sinks' logits, [heads]. */
  sinks?: string;
  /** Of what the heads give, before the output projection. */
  innerNorm?: NormSpec;
}

export interface LinearSpec {
  modules: string[];
  /** The modules have biases. */
  bias?: boolean;
}

/** down(act(gate x) · up x). */
export interface GatedMlpSpec {
  kind: "gated";
  inner: number;
  /** gate and up, or one module with the rows of gate before those of up. */
  gateUp: LinearSpec;
  down: LinearSpec;
  activation: Activation;
}

/** down(act(up x)). */
export interface PlainMlpSpec {
  kind: "plain";
  inner: number;
  up: LinearSpec;
  down: LinearSpec;
  activation: Activation;
}

/** Whatever else a model has there, such as a mixture of experts. */
export interface OwnMlpSpec {
  kind: "own";
  /** x [..., hidden] gives what is added to the residual. `g` is at the MLP's scope. */
  build(g: GraphBuilder, x: Value, ctx: BuildContext): Delta;
  shapes?: Shapes;
  /** Modules of it that the files have inside others. */
  parts?: Record<string, Part>;
}

export interface HeadSpec {
  module: string;
  /** The table of tokens is the head, whatever the file has. */
  tied: boolean;
  bias?: boolean;
  /** Factor on the logits. */
  scale?: number;
  /** A logit l becomes softcap · tanh(l / softcap). */
  softcap?: number;
  /** From the hidden size to the head's. */
  projection?: string;
  /** What stands before the head: x [n, hidden] to the same shape. */
  before?(g: GraphBuilder, x: Value, ctx: BuildContext): Value;
}

/** A spec's norm as the blocks want it, for x with `size` components. */
export function normOf(spec: NormSpec, size: number): AnyNorm {
  const { kind, module, epsilon, offset } = spec;
  if (spec.bare) return { kind, size, epsilon };
  return {
    kind,
    weight: `${module}.weight`,
    ...(spec.bias && { bias: `${module}.bias` }),
    epsilon,
    ...(offset !== undefined && { offset }),
  };
}

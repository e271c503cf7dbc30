import { z } from "zod";
import { type Activation, activationNames } from "../../graph/blocks/activation.js";
import { count, parseWith, positions } from "../config.js";
import { generatesText } from "./classes.js";
import type { EncoderDecoderSpec, LayerSpec, StackSpec } from "./spec.js";

const schema = z.looseObject({
  ...generatesText,
  vocab_size: count,
  d_model: count,
  d_kv: count.default(64),
  d_ff: count.default(2048),
  num_layers: count.default(6),
  num_decoder_layers: count.nullish(),
  num_heads: count.default(8),
  n_positions: positions.default(512),
  relative_attention_num_buckets: z.int().min(4).max(4096).multipleOf(4).default(32),
  relative_attention_max_distance: z.int().min(8).max(65_536).default(128),
  layer_norm_epsilon: z.number().positive().default(1e-6),
  feed_forward_proj: z.string().default("relu"),
  tie_word_embeddings: z.boolean().default(true),
  scale_decoder_outputs: z.boolean().nullish(),
});

/**
 * Positions are relative, so that a model reads texts of any length, and is used with longer ones than it was trained
 * with. This many are allowed at least; memory for attention grows with the square.
 */
const LEAST_CONTEXT = 2048;

export interface T5Variant {
  /** What `feed_forward_proj` is where config.json says nothing. */
  feedForward?: string;
  /** Each layer has biases of its own. */
  ownBias?: boolean;
  /** Whether the decoder's states are scaled before the head, out of the configuration. */
  scales(config: z.infer<typeof schema>): boolean;
}

/** T5 and its kin: norms before, no biases, distances instead of positions. Source: transformers, models/t5/modeling_t5.py. */
export function t5Spec(raw: Record<string, unknown>, variant: T5Variant): EncoderDecoderSpec {
  const { feedForward = "relu" } = variant;
  const config = parseWith(schema, { feed_forward_proj: feedForward, ...raw });
  const { d_model: hidden, num_heads: heads, d_kv: headDim, d_ff: inner } = config;
  const { activation, gated } = feedForwardOf(config.feed_forward_proj);
  const stack = (name: "encoder" | "decoder", layers: number): StackSpec => ({
    ...{ heads, headDim, inner, activation, table: "shared" },
    layers: Array.from({ length: layers }, (_, layer) => layerOf(name, layer, gated)),
    finalNorm: `${name}.final_layer_norm`,
    relativeBias: {
      tensors: Array.from({ length: layers }, (_, layer) => {
        const block = variant.ownBias ? layer : 0;
        return `${name}.block.${block}.layer.0.SelfAttention.relative_attention_bias.weight`;
      }),
      buckets: config.relative_attention_num_buckets,
      maxDistance: config.relative_attention_max_distance,
    },
  });
  const contextLength = Math.max(config.n_positions, LEAST_CONTEXT);
  return {
    hidden,
    encoder: stack("encoder", config.num_layers),
    decoder: stack("decoder", config.num_decoder_layers ?? config.num_layers),
    order: "pre",
    norm: { kind: "rms", epsilon: config.layer_norm_epsilon },
    bias: false,
    attentionScale: 1,
    // Files that tie the two don't have the head.
    head: { module: "lm_head", tied: false, scale: variant.scales(config) ? hidden ** -0.5 : undefined },
    contextLength,
    answerLength: contextLength,
  };
}

/** `relu`, `gated-gelu`, `gated-silu`. Here alone, `gelu` in `gated-gelu` means the tanh approximation. */
function feedForwardOf(name: string): { activation: Activation; gated: boolean } {
  const gated = name.startsWith("gated-");
  const act = name === "gated-gelu" ? "gelu_new" : name.replace(/^gated-/, "");
  const { activation } = parseWith(z.object({ activation: z.enum(activationNames) }), { activation: act });
  return { activation, gated };
}

function layerOf(stack: "encoder" | "decoder", layer: number, gated: boolean): LayerSpec {
  const block = `${stack}.block.${layer}.layer`;
  const attention = (index: number, name: string) => ({
    query: `${block}.${index}.${name}.q`,
    key: `${block}.${index}.${name}.k`,
    value: `${block}.${index}.${name}.v`,
    output: `${block}.${index}.${name}.o`,
    norm: `${block}.${index}.layer_norm`,
  });
  const last = stack === "encoder" ? 1 : 2;
  const mlp = `${block}.${last}.DenseReluDense`;
  return {
    name: `${stack}.layers.${layer}`,
    self: attention(0, "SelfAttention"),
    cross: stack === "decoder" ? attention(1, "EncDecAttention") : undefined,
    mlp: {
      up: gated ? [`${mlp}.wi_0`, `${mlp}.wi_1`] : [`${mlp}.wi`],
      down: `${mlp}.wo`,
      norm: `${block}.${last}.layer_norm`,
    },
  };
}

import { z } from "zod";
import { type Activation, activationNames } from "../../graph/blocks/activation.js";
import type { Rope } from "../../graph/blocks/rope.js";
import type { MetadataValue } from "../../weights/types.js";
import { count, positions } from "../config.js";
import { ggufNumber } from "../gguf.js";
import { llamaFields, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./llama-like.js";
import type { DecoderSpec, NormSpec } from "./spec.js";

const activation = z.enum(activationNames);

const gemmaFields = {
  head_dim: count.default(256),
  max_position_embeddings: positions.default(8192),
  tie_word_embeddings: z.boolean().default(true),
  hidden_act: activation.nullish(),
  hidden_activation: activation.nullish(),
  attention_bias: z.boolean().default(false),
  use_bidirectional_attention: z.literal(false).nullish(),
  /** Norms keep what their weights are above 1; GGUF's converter adds it. */
  norm_offset: z.union([z.literal(0), z.literal(1)]).default(1),
};

/** The schema of Gemma's fields with a model's own ones. */
export function gemmaSchema<S extends z.ZodRawShape>(own: S) {
  return llamaSchema({ ...gemmaFields, ...own } as Omit<typeof gemmaFields, keyof S> & S);
}

const fields = z.object({ ...llamaFields, ...gemmaFields });
type Config = Omit<z.infer<typeof fields>, "use_bidirectional_attention">;

/** Gemma's spec: llama with embeddings times √hidden, norms above 1 and GELU. */
export function gemmaSpec(config: Config, rope: Rope): DecoderSpec {
  const spec = llamaSpec(config, rope);
  setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
  spec.embedding.scale = Math.sqrt(config.hidden_size);
  spec.norm = above(spec.norm as NormSpec, config);
  for (const layer of spec.layers) {
    for (const place of ["attention", "mlp"] as const)
      layer.norms[place] = above(layer.norms[place] as NormSpec, config);
    if (layer.mlp.kind === "gated") layer.mlp.activation = activationOf(config);
  }
  return spec;
}

/** Norms on both sides of attention and MLP: `post_attention_layernorm` and its kin, in the places that Gemma 2 means. */
export function setGemmaNorms(spec: DecoderSpec, { outputs }: { outputs: boolean }): void {
  for (const { name, norms } of spec.layers) {
    const named = (module: string): NormSpec => ({ ...(norms.mlp as NormSpec), module: `${name}.${module}` });
    if (outputs) {
      norms.attentionOutput = named("post_attention_layernorm");
      norms.mlpOutput = named("post_feedforward_layernorm");
    }
    norms.mlp = named("pre_feedforward_layernorm");
  }
}

/** Names and keys of llama.cpp's converter for Gemma 2 and 3. */
export function gemmaGguf(
  name: string,
  config: (metadata: ReadonlyMap<string, MetadataValue>) => Record<string, unknown> = () => ({}),
) {
  return llamaGguf(name, {
    config: (metadata) => ({ norm_offset: 0, ...config(metadata) }),
    tensors: {
      "blk.N.post_attention_norm": "layers.N.post_attention_layernorm",
      "blk.N.ffn_norm": "layers.N.pre_feedforward_layernorm",
      "blk.N.post_ffw_norm": "layers.N.post_feedforward_layernorm",
    },
  });
}

/**
 * What scores are divided by the root of; the converter leaves it out, as llama.cpp knows it: the size of a head, and
 * in the largest model (told by its layers) the share of the hidden size. Source: llama.cpp, src/models/gemma3.cpp.
 */
export function ggufScoreSize(
  metadata: ReadonlyMap<string, MetadataValue>,
  name: string,
  largestLayers: number,
): number {
  const number = (key: string) => ggufNumber(metadata, `${name}.${key}`);
  if (number("block_count") !== largestLayers) return number("attention.key_length");
  return number("embedding_length") / number("attention.head_count");
}

/** The first models said gelu and meant the approximation. */
function activationOf({ hidden_activation: named, hidden_act: old }: Config): Activation {
  const chosen = named ?? old ?? "gelu_pytorch_tanh";
  return chosen === "gelu" ? "gelu_pytorch_tanh" : chosen;
}

function above(norm: NormSpec, { norm_offset: offset }: Config): NormSpec {
  return { ...norm, offset };
}

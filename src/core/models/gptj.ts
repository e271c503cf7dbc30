import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  n_positions: positions.default(2048),
  rotary_dim: z.int().positive().multipleOf(2).default(64),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(activationNames).default("gelu_new"),
  tie_word_embeddings: z.boolean().default(false),
});

/**
 * GPT-J's spec: attention and MLP side by side behind one norm, the first components of a head rotate in pairs, the head
 * has a bias. `qkv` names the modules of q, k and v in a layer.
 */
export function gptjSpec(raw: Record<string, unknown>, qkv: string[]): DecoderSpec {
  const config = parseWith(schema, raw);
  const { n_embd: hidden, n_head: heads, layer_norm_epsilon: epsilon } = config;
  const headDim = headSize(hidden, heads, "n_head");
  parseWith(z.looseObject({ rotary_dim: z.number().max(headDim).optional() }), raw);
  const layer = (index: number): LayerSpec => {
    const name = `h.${index}`;
    return {
      name,
      residual: "parallel",
      norms: { attention: layerNorm(`${name}.ln_1`, epsilon) },
      attention: {
        ...{ heads, kvHeads: heads, headDim },
        qkv: linears(`${name}.attn`, qkv, false),
        output: linears(name, ["attn.out_proj"], false),
        rope: "rope",
      },
      mlp: {
        kind: "plain",
        inner: config.n_inner ?? 4 * hidden,
        up: linears(name, ["mlp.fc_in"]),
        down: linears(name, ["mlp.fc_out"]),
        activation: config.activation_function,
      },
    };
  };
  return {
    hidden,
    contextLength: config.n_positions,
    embedding: { tokens: "wte" },
    ropes: { rope: { theta: 10_000, rotaryDim: config.rotary_dim, interleaved: true } },
    layers: Array.from({ length: config.n_layer }, (_, index) => layer(index)),
    norm: layerNorm("ln_f", epsilon),
    head: { module: "lm_head", tied: config.tie_word_embeddings, bias: true },
  };
}

/** GPT-J. Source: transformers, models/gptj/modeling_gptj.py. */
export const gptj: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gptj",
  prefixes: ["transformer."],
  parseConfig: (raw) => gptjSpec(raw, ["q_proj", "k_proj", "v_proj"]),
};

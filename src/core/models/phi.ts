import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { gptGgufConfig, headLayerNorms, headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count,
    intermediate_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    num_key_value_heads: count.nullish(),
    max_position_embeddings: positions.default(2048),
    layer_norm_eps: z.number().positive().default(1e-5),
    hidden_act: z.enum(activationNames).default("gelu_new"),
    qk_layernorm: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(false),
    /** Of GGUF files that were made of the model's first release. */
    fused_qkv: z.boolean().default(false),
  })
  .refine((config) => config.num_attention_heads % (config.num_key_value_heads ?? 1) === 0, {
    path: ["num_key_value_heads"],
    message: "it must divide num_attention_heads",
  });

/** Phi 1, 1.5 and 2. Source: transformers, models/phi/modeling_phi.py. */
export const phi: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "phi",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_attention_heads: heads, layer_norm_eps: epsilon } = config;
    const headDim = headSize(hidden, heads, "num_attention_heads");
    const layer = (index: number): LayerSpec => {
      const name = `layers.${index}`;
      return {
        name,
        residual: "parallel",
        norms: { attention: layerNorm(`${name}.input_layernorm`, epsilon) },
        attention: {
          ...{ heads, kvHeads: config.num_key_value_heads ?? heads, headDim },
          qkv: linears(`${name}.self_attn`, config.fused_qkv ? ["qkv_proj"] : ["q_proj", "k_proj", "v_proj"]),
          output: linears(name, ["self_attn.dense"]),
          rope: "rope",
          ...(config.qk_layernorm && { norms: headLayerNorms(`${name}.self_attn`, epsilon) }),
        },
        mlp: {
          kind: "plain",
          inner: config.intermediate_size,
          up: linears(name, ["mlp.fc1"]),
          down: linears(name, ["mlp.fc2"]),
          activation: config.hidden_act,
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "embed_tokens" },
      ropes: { rope: readRope(raw, headDim, { partial: 0.5 }) },
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      norm: layerNorm("final_layernorm", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings, bias: true },
    };
  },

  gguf: {
    config: (metadata, tensors) => ({
      ...gptGgufConfig(metadata, tensors, "phi2"),
      fused_qkv: tensors.has("blk.0.attn_qkv.weight"),
    }),
    tensors: {
      token_embd: "embed_tokens",
      output_norm: "final_layernorm",
      output: "lm_head",
      "blk.N.attn_norm": "layers.N.input_layernorm",
      "blk.N.attn_qkv": "layers.N.self_attn.qkv_proj",
      "blk.N.attn_q": "layers.N.self_attn.q_proj",
      "blk.N.attn_k": "layers.N.self_attn.k_proj",
      "blk.N.attn_v": "layers.N.self_attn.v_proj",
      "blk.N.attn_output": "layers.N.self_attn.dense",
      "blk.N.ffn_up": "layers.N.mlp.fc1",
      "blk.N.ffn_down": "layers.N.mlp.fc2",
    },
  },
};

import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import {
  fusedHeads,
  gptGgufConfig,
  headSize,
  layerNorm,
  linears,
  queryKeyValue,
} from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  max_position_embeddings: positions.default(2048),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.enum(activationNames).default("gelu"),
  use_parallel_residual: z.boolean().default(true),
  attention_bias: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
});

/** GPT-NeoX, Pythia, Dolly 2, RedPajama, StableLM Alpha. Source: transformers, models/gpt_neox/modeling_gpt_neox.py. */
export const gptNeox: Architecture<DecoderSpec> = {
  ...decoder,
  ...fusedHeads("attention.query_key_value"),
  modelType: "gpt_neox",
  prefixes: ["gpt_neox."],
  rename: (tensor) => tensor.replace(/^lm_head\./, "embed_out."),

  parseConfig(raw) {
    // The share of a head that rotates and the base have had names of their own.
    const config = parseWith(schema, {
      ...{ rope_theta: raw.rotary_emb_base, partial_rotary_factor: raw.rotary_pct },
      ...raw,
    });
    const { hidden_size: hidden, num_attention_heads: heads, layer_norm_eps: epsilon } = config;
    const headDim = headSize(hidden, heads, "num_attention_heads");
    const layer = (index: number): LayerSpec => {
      const name = `layers.${index}`;
      return {
        name,
        residual: config.use_parallel_residual ? "parallel" : "pre",
        norms: {
          attention: layerNorm(`${name}.input_layernorm`, epsilon),
          mlp: layerNorm(`${name}.post_attention_layernorm`, epsilon),
        },
        attention: {
          ...{ heads, kvHeads: heads, headDim },
          qkv: linears(`${name}.attention`, queryKeyValue, config.attention_bias),
          output: linears(name, ["attention.dense"], config.attention_bias),
          rope: "rope",
        },
        mlp: {
          kind: "plain",
          inner: config.intermediate_size,
          up: linears(name, ["mlp.dense_h_to_4h"]),
          down: linears(name, ["mlp.dense_4h_to_h"]),
          activation: config.hidden_act,
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "embed_in" },
      ropes: { rope: readRope(config, headDim, { partial: 0.25 }) },
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      norm: layerNorm("final_layer_norm", epsilon),
      head: { module: "embed_out", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config: (metadata, tensors) => ({
      ...gptGgufConfig(metadata, tensors, "gptneox"),
      use_parallel_residual: metadata.get("gptneox.use_parallel_residual"),
      attention_bias: tensors.has("blk.0.attn_qkv.bias"),
    }),
    tensors: {
      token_embd: "embed_in",
      output_norm: "final_layer_norm",
      output: "embed_out",
      "blk.N.attn_norm": "layers.N.input_layernorm",
      "blk.N.attn_qkv": "layers.N.attention.query_key_value",
      "blk.N.attn_output": "layers.N.attention.dense",
      "blk.N.ffn_norm": "layers.N.post_attention_layernorm",
      "blk.N.ffn_up": "layers.N.mlp.dense_h_to_4h",
      "blk.N.ffn_down": "layers.N.mlp.dense_4h_to_h",
    },
  },
};

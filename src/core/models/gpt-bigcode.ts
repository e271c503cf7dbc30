import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
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
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  n_positions: positions.default(1024),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(activationNames).default("gelu_pytorch_tanh"),
  scale_attn_weights: z.boolean().default(true),
  multi_query: z.boolean().default(true),
  add_cross_attention: z.literal(false).default(false),
  tie_word_embeddings: z.boolean().default(true),
});

/** SantaCoder, StarCoder: GPT-2 whose heads share a key. Source: transformers, models/gpt_bigcode/modeling_gpt_bigcode.py. */
export const gptBigcode: Architecture<DecoderSpec> = {
  ...decoder,
  ...fusedHeads("attn.c_attn"),
  modelType: "gpt_bigcode",
  prefixes: ["transformer."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { n_embd: hidden, n_head: heads, layer_norm_epsilon: epsilon } = config;
    const headDim = headSize(hidden, heads, "n_head");
    const layer = (index: number): LayerSpec => {
      const name = `h.${index}`;
      return {
        name,
        residual: "pre",
        norms: { attention: layerNorm(`${name}.ln_1`, epsilon), mlp: layerNorm(`${name}.ln_2`, epsilon) },
        attention: {
          ...{ heads, kvHeads: config.multi_query ? 1 : heads, headDim },
          qkv: linears(`${name}.attn`, queryKeyValue),
          output: linears(name, ["attn.c_proj"]),
          scale: config.scale_attn_weights ? headDim ** -0.5 : 1,
        },
        mlp: {
          kind: "plain",
          inner: config.n_inner ?? 4 * hidden,
          up: linears(name, ["mlp.c_fc"]),
          down: linears(name, ["mlp.c_proj"]),
          activation: config.activation_function,
        },
      };
    };
    return {
      hidden,
      contextLength: config.n_positions,
      embedding: { tokens: "wte", positions: { module: "wpe" } },
      layers: Array.from({ length: config.n_layer }, (_, index) => layer(index)),
      norm: layerNorm("ln_f", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config(metadata, tensors) {
      const config = gptGgufConfig(metadata, tensors, "starcoder");
      return {
        vocab_size: config.vocab_size,
        n_embd: config.hidden_size,
        n_inner: config.intermediate_size,
        n_layer: config.num_hidden_layers,
        n_head: config.num_attention_heads,
        n_positions: config.max_position_embeddings,
        layer_norm_epsilon: config.layer_norm_eps,
        multi_query: config.num_key_value_heads === 1,
        tie_word_embeddings: config.tie_word_embeddings,
      };
    },
    tensors: {
      token_embd: "wte",
      position_embd: "wpe",
      output_norm: "ln_f",
      output: "lm_head",
      "blk.N.attn_norm": "h.N.ln_1",
      "blk.N.attn_qkv": "h.N.attn.c_attn",
      "blk.N.attn_output": "h.N.attn.c_proj",
      "blk.N.ffn_norm": "h.N.ln_2",
      "blk.N.ffn_up": "h.N.mlp.c_fc",
      "blk.N.ffn_down": "h.N.mlp.c_proj",
    },
  },
};

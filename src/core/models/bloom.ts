import { z } from "zod";
import { alibiSlopes } from "../graph/blocks/alibi.js";
import { count, parseWith } from "./config.js";
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
  n_layer: count,
  n_head: count.max(100_000),
  /** What the model was trained with; it has no positions that could run out. */
  seq_length: count.max(4_000_000).default(2048),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  apply_residual_connection_post_layernorm: z.literal(false).default(false),
  tie_word_embeddings: z.boolean().default(true),
});

/** BLOOM, BLOOMZ. Source: transformers, models/bloom/modeling_bloom.py. */
export const bloom: Architecture<DecoderSpec> = {
  ...decoder,
  ...fusedHeads("self_attention.query_key_value"),
  modelType: "bloom",
  prefixes: ["transformer."],

  parseConfig(raw) {
    // Configurations of the first models say n_embed and num_attention_heads.
    const older = {
      hidden_size: raw.n_embed,
      n_head: raw.num_attention_heads,
      n_layer: raw.num_hidden_layers,
    };
    const config = parseWith(schema, { ...older, ...raw });
    const { hidden_size: hidden, n_head: heads, layer_norm_epsilon: epsilon } = config;
    const headDim = headSize(hidden, heads, "n_head");
    const alibi = { slopes: alibiSlopes(heads) };
    const layer = (index: number): LayerSpec => {
      const name = `h.${index}`;
      return {
        name,
        residual: "pre",
        norms: {
          attention: layerNorm(`${name}.input_layernorm`, epsilon),
          mlp: layerNorm(`${name}.post_attention_layernorm`, epsilon),
        },
        attention: {
          ...{ heads, kvHeads: heads, headDim, alibi },
          qkv: linears(`${name}.self_attention`, queryKeyValue),
          output: linears(name, ["self_attention.dense"]),
        },
        mlp: {
          kind: "plain",
          inner: 4 * hidden,
          up: linears(name, ["mlp.dense_h_to_4h"]),
          down: linears(name, ["mlp.dense_4h_to_h"]),
          activation: "gelu_new",
        },
      };
    };
    return {
      hidden,
      contextLength: config.seq_length,
      embedding: { tokens: "word_embeddings", norm: layerNorm("word_embeddings_layernorm", epsilon) },
      layers: Array.from({ length: config.n_layer }, (_, index) => layer(index)),
      norm: layerNorm("ln_f", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config(metadata, tensors) {
      const config = gptGgufConfig(metadata, tensors, "bloom");
      return {
        vocab_size: config.vocab_size,
        hidden_size: config.hidden_size,
        n_layer: config.num_hidden_layers,
        n_head: config.num_attention_heads,
        seq_length: config.max_position_embeddings,
        layer_norm_epsilon: config.layer_norm_eps,
        tie_word_embeddings: config.tie_word_embeddings,
      };
    },
    tensors: {
      token_embd: "word_embeddings",
      token_embd_norm: "word_embeddings_layernorm",
      output_norm: "ln_f",
      output: "lm_head",
      "blk.N.attn_norm": "h.N.input_layernorm",
      "blk.N.attn_qkv": "h.N.self_attention.query_key_value",
      "blk.N.attn_output": "h.N.self_attention.dense",
      "blk.N.ffn_norm": "h.N.post_attention_layernorm",
      "blk.N.ffn_up": "h.N.mlp.dense_h_to_4h",
      "blk.N.ffn_down": "h.N.mlp.dense_4h_to_h",
    },
  },
};

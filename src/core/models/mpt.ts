import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { gptGgufConfig, headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const attention = z.looseObject({
  attn_type: z.literal("multihead_attention").default("multihead_attention"),
  alibi: z.literal(true).default(true),
  alibi_bias_max: z.number().positive().default(8),
  clip_qkv: z.number().positive().nullish(),
  softmax_scale: z.number().positive().nullish(),
  prefix_lm: z.literal(false).default(false),
  qk_ln: z.literal(false).default(false),
});

const schema = z.looseObject({
  vocab_size: count,
  d_model: count,
  n_layers: count,
  n_heads: count.max(100_000),
  expansion_ratio: z.literal(4).default(4),
  max_seq_len: positions.default(2048),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  no_bias: z.literal(true).default(true),
  logit_scale: z.null().optional(),
  attn_config: attention.prefault({}),
  tie_word_embeddings: z.boolean().default(true),
});

/** MPT. Source: transformers, models/mpt/modeling_mpt.py. */
export const mpt: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "mpt",
  prefixes: ["transformer."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { d_model: hidden, n_heads: heads, layer_norm_epsilon: epsilon, attn_config: of } = config;
    const headDim = headSize(hidden, heads, "n_heads");
    const alibi = { slopes: mptSlopes(heads, of.alibi_bias_max) };
    const layer = (index: number): LayerSpec => {
      const name = `blocks.${index}`;
      return {
        name,
        residual: "pre",
        norms: {
          attention: layerNorm(`${name}.norm_1`, epsilon, false),
          mlp: layerNorm(`${name}.norm_2`, epsilon, false),
        },
        attention: {
          ...{ heads, kvHeads: heads, headDim, alibi },
          qkv: linears(name, ["attn.Wqkv"], false),
          output: linears(name, ["attn.out_proj"], false),
          ...(of.softmax_scale && { scale: of.softmax_scale }),
          ...(of.clip_qkv && { clip: of.clip_qkv }),
        },
        mlp: {
          kind: "plain",
          inner: 4 * hidden,
          up: linears(name, ["ffn.up_proj"], false),
          down: linears(name, ["ffn.down_proj"], false),
          activation: "gelu",
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_seq_len,
      embedding: { tokens: "wte" },
      layers: Array.from({ length: config.n_layers }, (_, index) => layer(index)),
      norm: layerNorm("norm_f", epsilon, false),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config(metadata, tensors) {
      const config = gptGgufConfig(metadata, tensors, "mpt");
      return {
        vocab_size: config.vocab_size,
        d_model: config.hidden_size,
        n_layers: config.num_hidden_layers,
        n_heads: config.num_attention_heads,
        max_seq_len: config.max_position_embeddings,
        layer_norm_epsilon: config.layer_norm_eps,
        no_bias: !tensors.has("blk.0.attn_qkv.bias"),
        attn_config: {
          alibi: !tensors.has("position_embd.weight"),
          alibi_bias_max: metadata.get("mpt.attention.max_alibi_bias"),
          clip_qkv: metadata.get("mpt.attention.clamp_kqv"),
          qk_ln: tensors.has("blk.0.attn_q_norm.weight"),
        },
        tie_word_embeddings: config.tie_word_embeddings,
      };
    },
    tensors: {
      token_embd: "wte",
      output_norm: "norm_f",
      output: "lm_head",
      "blk.N.attn_norm": "blocks.N.norm_1",
      "blk.N.attn_qkv": "blocks.N.attn.Wqkv",
      "blk.N.attn_output": "blocks.N.attn.out_proj",
      "blk.N.ffn_norm": "blocks.N.norm_2",
      "blk.N.ffn_up": "blocks.N.ffn.up_proj",
      "blk.N.ffn_down": "blocks.N.ffn.down_proj",
    },
  },
};

/** 2^(-max · i / n) with n the next power of two; of more than there are heads, every second one comes first. */
function mptSlopes(heads: number, max: number): Float32Array {
  const next = 2 ** Math.ceil(Math.log2(heads));
  const all = Array.from({ length: next }, (_, i) => 2 ** ((-max * (i + 1)) / next));
  if (next === heads) return Float32Array.from(all);
  const ordered = [...all.filter((_, i) => i % 2 === 1), ...all.filter((_, i) => i % 2 === 0)];
  return Float32Array.from(ordered.slice(0, heads));
}

import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import type { DecoderSpec, LayerSpec, NormSpec } from "./decoder/spec.js";
import { ggufNumber } from "./gguf.js";
import type { Architecture } from "./types.js";

const fields = z.looseObject({
  vocab_size: count,
  n_embd: count,
  n_layer: count,
  n_head: count,
  n_inner: count.nullish(),
  n_positions: positions.default(1024),
  layer_norm_epsilon: z.number().positive().default(1e-5),
  activation_function: z.enum(activationNames).default("gelu_new"),
  scale_attn_weights: z.boolean().default(true),
  scale_attn_by_inverse_layer_idx: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  add_cross_attention: z.literal(false).default(false),
});

const schema = fields.refine((config) => config.n_embd % config.n_head === 0, {
  path: ["n_head"],
  message: "it must divide n_embd",
});

/** GPT-2, DistilGPT-2, DialoGPT. Source: transformers, models/gpt2/modeling_gpt2.py. */
export const gpt2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gpt2",
  prefixes: ["transformer."],
  // Conv1D of transformers' pytorch_utils.py keeps its weight [in, out].
  conv1d: (tensor) => /\.(c_attn|c_proj|c_fc)\.weight$/.test(tensor),

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const headDim = config.n_embd / config.n_head;
    const norm = (module: string): NormSpec => ({
      kind: "layer",
      module,
      epsilon: config.layer_norm_epsilon,
      bias: true,
    });
    const layer = (index: number): LayerSpec => {
      const name = `h.${index}`;
      const linear = (module: string) => ({ modules: [`${name}.${module}`], bias: true });
      return {
        name,
        residual: "pre",
        norms: { attention: norm(`${name}.ln_1`), mlp: norm(`${name}.ln_2`) },
        attention: {
          heads: config.n_head,
          kvHeads: config.n_head,
          headDim,
          qkv: linear("attn.c_attn"),
          output: linear("attn.c_proj"),
          scale:
            (config.scale_attn_weights ? headDim ** -0.5 : 1) /
            (config.scale_attn_by_inverse_layer_idx ? index + 1 : 1),
        },
        mlp: {
          kind: "plain",
          inner: config.n_inner ?? 4 * config.n_embd,
          up: linear("mlp.c_fc"),
          down: linear("mlp.c_proj"),
          activation: config.activation_function,
        },
      };
    };
    return {
      hidden: config.n_embd,
      contextLength: config.n_positions,
      embedding: { tokens: "wte", positions: { module: "wpe" } },
      layers: Array.from({ length: config.n_layer }, (_, index) => layer(index)),
      norm: norm("ln_f"),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config: (metadata, tensors) => ({
      vocab_size: ggufNumber(
        metadata,
        "gpt2.vocab_size",
        (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length,
      ),
      n_embd: ggufNumber(metadata, "gpt2.embedding_length"),
      n_inner: metadata.has("gpt2.feed_forward_length")
        ? ggufNumber(metadata, "gpt2.feed_forward_length")
        : undefined,
      n_layer: ggufNumber(metadata, "gpt2.block_count"),
      n_head: ggufNumber(metadata, "gpt2.attention.head_count"),
      n_positions: ggufNumber(metadata, "gpt2.context_length"),
      layer_norm_epsilon: ggufNumber(metadata, "gpt2.attention.layer_norm_epsilon"),
      tie_word_embeddings: !tensors.has("output.weight"),
    }),
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

import { z } from "zod";
import type { Rope } from "../../graph/blocks/rope.js";
import type { MetadataValue } from "../../weights/types.js";
import { count, positions } from "../config.js";
import { ggufNumber, ggufRope } from "../gguf.js";
import type { GgufMapping } from "../types.js";
import type { DecoderSpec, LayerSpec, NormSpec } from "./spec.js";

/** What config.json says of a model that differs from llama in details. */
export const llamaFields = {
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  num_key_value_heads: count.nullish(),
  head_dim: count.nullish(),
  max_position_embeddings: positions.default(2048),
  rms_norm_eps: z.number().positive().default(1e-6),
  tie_word_embeddings: z.boolean().default(false),
};

const fields = z.object(llamaFields);
type Fields = z.infer<typeof fields>;

/** The schema of llama-like fields with a model's own ones, and the rules that join them. */
export function llamaSchema<S extends z.ZodRawShape>(own: S) {
  return z
    .looseObject({ ...llamaFields, ...own } as Omit<typeof llamaFields, keyof S> & S)
    .refine((config) => Number.isInteger(headDimOf(config as unknown as Fields)), {
      path: ["num_attention_heads"],
      message: "it must divide hidden_size",
    })
    .refine((config) => headDimOf(config as unknown as Fields) % 2 === 0, {
      path: ["head_dim"],
      message: "rotation takes a head in two halves",
    })
    .refine(
      (config) => {
        const { num_attention_heads: heads, num_key_value_heads: kvHeads } = config as unknown as Fields;
        return heads % (kvHeads ?? heads) === 0;
      },
      { path: ["num_key_value_heads"], message: "it must divide num_attention_heads" },
    );
}

export function headDimOf(config: Pick<Fields, "head_dim" | "hidden_size" | "num_attention_heads">): number {
  return config.head_dim ?? config.hidden_size / config.num_attention_heads;
}

/** Llama's own spec: RMSNorm before each branch, rotation, grouped heads, SwiGLU, no biases. Others change what differs. */
export function llamaSpec(config: Fields, rope: Rope): DecoderSpec {
  const heads = config.num_attention_heads;
  const kvHeads = config.num_key_value_heads ?? heads;
  const shape = { heads, kvHeads, headDim: headDimOf(config) };
  const norm = (module: string): NormSpec => ({ kind: "rms", module, epsilon: config.rms_norm_eps });
  const layer = (index: number): LayerSpec => {
    const name = `layers.${index}`;
    return {
      name,
      residual: "pre",
      norms: { attention: norm(`${name}.input_layernorm`), mlp: norm(`${name}.post_attention_layernorm`) },
      attention: {
        ...shape,
        qkv: { modules: ["q_proj", "k_proj", "v_proj"].map((part) => `${name}.self_attn.${part}`) },
        output: { modules: [`${name}.self_attn.o_proj`] },
        rope: "rope",
      },
      mlp: {
        kind: "gated",
        inner: config.intermediate_size,
        gateUp: { modules: [`${name}.mlp.gate_proj`, `${name}.mlp.up_proj`] },
        down: { modules: [`${name}.mlp.down_proj`] },
        activation: "silu",
      },
    };
  };
  return {
    hidden: config.hidden_size,
    contextLength: config.max_position_embeddings,
    embedding: { tokens: "embed_tokens" },
    ropes: { rope },
    layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
    norm: norm("norm"),
    head: { module: "lm_head", tied: config.tie_word_embeddings },
  };
}

/** Sets which of a spec's linear layers have biases. */
export function setBiases(
  spec: DecoderSpec,
  biases: { qkv?: boolean; output?: boolean; mlp?: boolean },
): void {
  for (const { attention, mlp } of spec.layers) {
    attention.qkv.bias = biases.qkv;
    attention.output.bias = biases.output;
    if (mlp.kind === "own") continue;
    const up = mlp.kind === "gated" ? mlp.gateUp : mlp.up;
    up.bias = biases.mlp;
    mlp.down.bias = biases.mlp;
  }
}

/** Names and keys of llama.cpp's converter for llama-like models. */
export function llamaGguf(
  name: string,
  options: {
    /** The converter interleaved the rows of q and k. */
    interleaved?: boolean;
    /** Further fields of config.json. */
    config?: (
      metadata: ReadonlyMap<string, MetadataValue>,
      tensors: ReadonlySet<string>,
    ) => Record<string, unknown>;
    tensors?: Record<string, string>;
  } = {},
): GgufMapping {
  return {
    config: (metadata, tensors) => ({
      vocab_size: ggufNumber(
        metadata,
        `${name}.vocab_size`,
        (metadata.get("tokenizer.ggml.tokens") as unknown[])?.length,
      ),
      hidden_size: ggufNumber(metadata, `${name}.embedding_length`),
      intermediate_size: ggufNumber(metadata, `${name}.feed_forward_length`),
      num_hidden_layers: ggufNumber(metadata, `${name}.block_count`),
      num_attention_heads: ggufNumber(metadata, `${name}.attention.head_count`),
      num_key_value_heads: ggufNumber(
        metadata,
        `${name}.attention.head_count_kv`,
        ggufNumber(metadata, `${name}.attention.head_count`),
      ),
      head_dim: ggufHeadDim(metadata, name),
      max_position_embeddings: ggufNumber(metadata, `${name}.context_length`),
      rms_norm_eps: metadata.get(`${name}.attention.layer_norm_rms_epsilon`),
      tie_word_embeddings: !tensors.has("output.weight"),
      attention_bias: tensors.has("blk.0.attn_q.bias"),
      mlp_bias: tensors.has("blk.0.ffn_up.bias"),
      ...ggufRope(metadata, name, tensors, ggufHeadDim(metadata, name)),
      ...options.config?.(metadata, tensors),
    }),
    tensors: {
      token_embd: "embed_tokens",
      output_norm: "norm",
      output: "lm_head",
      rope_freqs: "rope_freqs",
      rope_factors_short: "rope_factors_short",
      rope_factors_long: "rope_factors_long",
      "blk.N.attn_norm": "layers.N.input_layernorm",
      "blk.N.attn_q": "layers.N.self_attn.q_proj",
      "blk.N.attn_k": "layers.N.self_attn.k_proj",
      "blk.N.attn_v": "layers.N.self_attn.v_proj",
      "blk.N.attn_q_norm": "layers.N.self_attn.q_norm",
      "blk.N.attn_k_norm": "layers.N.self_attn.k_norm",
      "blk.N.attn_output": "layers.N.self_attn.o_proj",
      "blk.N.ffn_norm": "layers.N.post_attention_layernorm",
      "blk.N.ffn_gate": "layers.N.mlp.gate_proj",
      "blk.N.ffn_up": "layers.N.mlp.up_proj",
      "blk.N.ffn_down": "layers.N.mlp.down_proj",
      ...options.tensors,
    },
    ...(options.interleaved && {
      interleaved(tensor, config) {
        return /self_attn\.[qk]_proj/.test(tensor) ? headDimOf(config as Fields) : undefined;
      },
    }),
  };
}

function ggufHeadDim(metadata: ReadonlyMap<string, MetadataValue>, name: string): number {
  const number = (key: string, fallback?: number) => ggufNumber(metadata, `${name}.${key}`, fallback);
  return number("attention.key_length", number("embedding_length") / number("attention.head_count"));
}

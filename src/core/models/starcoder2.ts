import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { gptGgufConfig, headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count,
    intermediate_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    num_key_value_heads: count.default(2),
    max_position_embeddings: positions.default(4096),
    norm_epsilon: z.number().positive().default(1e-5),
    hidden_act: z.enum(activationNames).default("gelu_pytorch_tanh"),
    sliding_window: count.nullish(),
    use_bias: z.boolean().default(true),
    tie_word_embeddings: z.boolean().default(true),
  })
  .refine((config) => config.num_attention_heads % config.num_key_value_heads === 0, {
    path: ["num_key_value_heads"],
    message: "it must divide num_attention_heads",
  });

/** StarCoder 2. Source: transformers, models/starcoder2/modeling_starcoder2.py. */
export const starcoder2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "starcoder2",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_attention_heads: heads, norm_epsilon: epsilon, use_bias: bias } = config;
    const headDim = headSize(hidden, heads, "num_attention_heads");
    const layer = (index: number): LayerSpec => {
      const name = `layers.${index}`;
      return {
        name,
        residual: "pre",
        norms: {
          attention: layerNorm(`${name}.input_layernorm`, epsilon),
          mlp: layerNorm(`${name}.post_attention_layernorm`, epsilon),
        },
        attention: {
          ...{ heads, kvHeads: config.num_key_value_heads, headDim },
          qkv: linears(`${name}.self_attn`, ["q_proj", "k_proj", "v_proj"], bias),
          output: linears(name, ["self_attn.o_proj"], bias),
          rope: "rope",
          ...(config.sliding_window && { window: config.sliding_window }),
        },
        mlp: {
          kind: "plain",
          inner: config.intermediate_size,
          up: linears(name, ["mlp.c_fc"], bias),
          down: linears(name, ["mlp.c_proj"], bias),
          activation: config.hidden_act,
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "embed_tokens" },
      ropes: { rope: readRope(raw, headDim) },
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      norm: layerNorm("norm", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config(metadata, tensors) {
      const config = gptGgufConfig(metadata, tensors, "starcoder2");
      return {
        ...config,
        norm_epsilon: config.layer_norm_eps,
        use_bias: tensors.has("blk.0.attn_q.bias"),
        sliding_window: metadata.get("starcoder2.attention.sliding_window"),
      };
    },
    tensors: {
      token_embd: "embed_tokens",
      output_norm: "norm",
      output: "lm_head",
      "blk.N.attn_norm": "layers.N.input_layernorm",
      "blk.N.attn_q": "layers.N.self_attn.q_proj",
      "blk.N.attn_k": "layers.N.self_attn.k_proj",
      "blk.N.attn_v": "layers.N.self_attn.v_proj",
      "blk.N.attn_output": "layers.N.self_attn.o_proj",
      "blk.N.ffn_norm": "layers.N.post_attention_layernorm",
      "blk.N.ffn_up": "layers.N.mlp.c_fc",
      "blk.N.ffn_down": "layers.N.mlp.c_proj",
    },
  },
};

import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import {
  fusedHeads,
  headLayerNorms,
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
  max_position_embeddings: positions.default(16_384),
  layer_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.enum(activationNames).default("relu2"),
  qk_layernorm: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(false),
});

/** Persimmon. Source: transformers, models/persimmon/modeling_persimmon.py. */
export const persimmon: Architecture<DecoderSpec> = {
  ...decoder,
  ...fusedHeads("self_attn.query_key_value"),
  modelType: "persimmon",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_attention_heads: heads, layer_norm_eps: epsilon } = config;
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
          ...{ heads, kvHeads: heads, headDim },
          qkv: linears(`${name}.self_attn`, queryKeyValue),
          output: linears(name, ["self_attn.dense"]),
          rope: "rope",
          ...(config.qk_layernorm && { norms: headLayerNorms(`${name}.self_attn`, epsilon) }),
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
      embedding: { tokens: "embed_tokens" },
      ropes: { rope: readRope(raw, headDim, { partial: 0.5 }) },
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      norm: layerNorm("final_layernorm", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },
};

import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { alibiSlopes } from "../graph/blocks/alibi.js";
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
import { stackedParts } from "./parts.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count,
    ffn_hidden_size: count.nullish(),
    num_hidden_layers: count,
    num_attention_heads: count.max(100_000),
    num_kv_heads: count.nullish(),
    num_ln_in_parallel_attn: z.union([z.literal(1), z.literal(2)]).nullish(),
    max_position_embeddings: positions.default(2048),
    layer_norm_epsilon: z.number().positive().default(1e-5),
    activation: z.enum(activationNames).default("gelu"),
    alibi: z.boolean().default(false),
    new_decoder_architecture: z.boolean().default(false),
    multi_query: z.boolean().default(true),
    parallel_attn: z.boolean().default(true),
    bias: z.boolean().default(false),
    tie_word_embeddings: z.boolean().default(true),
  })
  .refine((config) => config.parallel_attn || !config.new_decoder_architecture, {
    path: ["parallel_attn"],
    message: "the new decoder architecture is parallel",
  })
  .refine((config) => config.num_attention_heads % kvHeadsOf(config) === 0, {
    path: ["num_kv_heads"],
    message: "it must divide num_attention_heads",
  });

const fused = fusedHeads("self_attention.query_key_value");

/**
 * Falcon 1 and 2: of 7 B (one norm, one key for all heads), of 11 to 180 B (the "new decoder architecture"), and of
 * RefinedWeb (in sequence, with linear biases). Source: transformers, models/falcon/modeling_falcon.py.
 */
export const falcon: Architecture<DecoderSpec> = {
  ...decoder,
  ...fused,
  modelType: "falcon",
  prefixes: ["transformer."],

  parts(spec, format) {
    const parts = fused.parts(spec, format);
    // Where layers have two norms, llama.cpp keeps the MLP's as attn_norm, which is attention's in the others.
    if (format === "gguf" && spec.layers[0].norms.attention?.module.endsWith("ln_attn")) {
      for (const { name } of spec.layers)
        Object.assign(parts, stackedParts(`${name}.input_layernorm`, { [`${name}.ln_mlp`]: spec.hidden }));
    }
    return parts;
  },

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_attention_heads: heads, layer_norm_epsilon: epsilon, bias } = config;
    const headDim = headSize(hidden, heads, "num_attention_heads");
    const isNew = config.new_decoder_architecture;
    const twoNorms = isNew && (config.num_ln_in_parallel_attn ?? 2) === 2;
    // The model was trained with slopes in bfloat16, and biases that the scale shrinks with the scores.
    const alibi = { slopes: alibiSlopes(heads).map(bfloat16), rounded: true, factor: headDim ** -0.5 };
    const layer = (index: number): LayerSpec => {
      const name = `h.${index}`;
      const mlpNorm = twoNorms ? "ln_mlp" : config.parallel_attn ? undefined : "post_attention_layernorm";
      return {
        name,
        residual: config.parallel_attn ? "parallel" : "pre",
        norms: {
          attention: layerNorm(`${name}.${twoNorms ? "ln_attn" : "input_layernorm"}`, epsilon),
          mlp: mlpNorm === undefined ? undefined : layerNorm(`${name}.${mlpNorm}`, epsilon),
        },
        attention: {
          ...{ heads, kvHeads: kvHeadsOf(config), headDim },
          qkv: linears(`${name}.self_attention`, queryKeyValue, bias),
          output: linears(name, ["self_attention.dense"], bias),
          ...(config.alibi ? { alibi } : { rope: "rope" }),
        },
        mlp: {
          kind: "plain",
          inner: config.ffn_hidden_size ?? 4 * hidden,
          up: linears(name, ["mlp.dense_h_to_4h"], bias),
          down: linears(name, ["mlp.dense_4h_to_h"], bias),
          activation: config.activation,
        },
      };
    };
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "word_embeddings" },
      ...(!config.alibi && { ropes: { rope: readRope(raw, headDim) } }),
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      norm: layerNorm("ln_f", epsilon),
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    };
  },

  gguf: {
    config(metadata, tensors) {
      const config = gptGgufConfig(metadata, tensors, "falcon");
      const isNew = tensors.has("blk.0.attn_norm_2.weight");
      return {
        ...config,
        ffn_hidden_size: config.intermediate_size,
        num_kv_heads: config.num_key_value_heads,
        layer_norm_epsilon: config.layer_norm_eps,
        new_decoder_architecture: isNew,
        multi_query: config.num_key_value_heads === 1,
        bias: tensors.has("blk.0.attn_qkv.bias"),
      };
    },
    tensors: {
      token_embd: "word_embeddings",
      output_norm: "ln_f",
      output: "lm_head",
      "blk.N.attn_norm": "h.N.input_layernorm",
      "blk.N.attn_norm_2": "h.N.ln_attn",
      "blk.N.attn_qkv": "h.N.self_attention.query_key_value",
      "blk.N.attn_output": "h.N.self_attention.dense",
      "blk.N.ffn_up": "h.N.mlp.dense_h_to_4h",
      "blk.N.ffn_down": "h.N.mlp.dense_4h_to_h",
    },
  },
};

function kvHeadsOf(config: {
  num_attention_heads: number;
  num_kv_heads?: number | null;
  new_decoder_architecture: boolean;
  multi_query: boolean;
}): number {
  if (config.new_decoder_architecture) return config.num_kv_heads ?? config.num_attention_heads;
  return config.multi_query ? 1 : config.num_attention_heads;
}

/** To the nearest number that bfloat16 has, the even one of two. */
function bfloat16(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0];
  const rounded = (bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(Uint32Array.of(rounded).buffer)[0];
}

import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headSize, layerNorm, linears } from "./decoder/gpt-like.js";
import type { DecoderSpec, LayerSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  ffn_dim: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  word_embed_proj_dim: count.nullish(),
  max_position_embeddings: positions.default(2048),
  activation_function: z.enum(activationNames).default("relu"),
  do_layer_norm_before: z.boolean().default(true),
  _remove_final_layer_norm: z.boolean().default(false),
  enable_bias: z.boolean().default(true),
  layer_norm_elementwise_affine: z.literal(true).default(true),
  tie_word_embeddings: z.boolean().default(true),
});

/** PyTorch's own; config.json does not say. */
const EPSILON = 1e-5;

/** OPT; the one of 350 M norms behind the branches and embeds narrower. Source: transformers, models/opt/modeling_opt.py. */
export const opt: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "opt",
  prefixes: ["model.decoder.", "decoder."],
  // As files before transformers 4.20 have it.
  rename: (tensor) => tensor.replace(/^layer_norm\./, "final_layer_norm."),

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { hidden_size: hidden, num_attention_heads: heads, enable_bias: bias } = config;
    const headDim = headSize(hidden, heads, "num_attention_heads");
    const size = config.word_embed_proj_dim ?? hidden;
    const layer = (index: number): LayerSpec => {
      const name = `layers.${index}`;
      return {
        name,
        residual: config.do_layer_norm_before ? "pre" : "post",
        norms: {
          attention: layerNorm(`${name}.self_attn_layer_norm`, EPSILON),
          mlp: layerNorm(`${name}.final_layer_norm`, EPSILON),
        },
        attention: {
          ...{ heads, kvHeads: heads, headDim },
          qkv: linears(`${name}.self_attn`, ["q_proj", "k_proj", "v_proj"], bias),
          output: linears(name, ["self_attn.out_proj"], bias),
        },
        mlp: {
          kind: "plain",
          inner: config.ffn_dim,
          up: linears(name, ["fc1"], bias),
          down: linears(name, ["fc2"], bias),
          activation: config.activation_function,
        },
      };
    };
    const lastNorm = config.do_layer_norm_before && !config._remove_final_layer_norm;
    return {
      hidden,
      contextLength: config.max_position_embeddings,
      embedding: {
        tokens: "embed_tokens",
        ...(size !== hidden && { size, projection: "project_in" }),
        positions: { module: "embed_positions", offset: 2 },
      },
      layers: Array.from({ length: config.num_hidden_layers }, (_, index) => layer(index)),
      ...(lastNorm && { norm: layerNorm("final_layer_norm", EPSILON) }),
      head: {
        module: "lm_head",
        tied: config.tie_word_embeddings,
        ...(size !== hidden && { projection: "project_out" }),
      },
    };
  },
};

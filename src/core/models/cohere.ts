import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms, setNorms } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

export const cohereFields = {
  max_position_embeddings: positions.default(8192),
  layer_norm_eps: z.number().positive().default(1e-5),
  logit_scale: z.number().positive().default(0.0625),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
};

const schema = llamaSchema({ ...cohereFields, use_qk_norm: z.boolean().default(false) });

const common = llamaSchema(cohereFields);

/** The spec of Command's models: attention and MLP read the same LayerNorm, neighbours rotate. */
export function cohereSpec(
  raw: Record<string, unknown>,
  config: z.infer<typeof common>,
  theta: number,
): DecoderSpec {
  const rope = readRope(raw, headDimOf(config), { theta });
  const spec = llamaSpec(config, { ...rope, interleaved: true });
  setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
  setNorms(spec, { kind: "layer", epsilon: config.layer_norm_eps });
  for (const layer of spec.layers) {
    layer.residual = "parallel";
    layer.norms = { attention: layer.norms.attention };
  }
  spec.head.scale = config.logit_scale;
  return spec;
}

/** Command R and Aya 23. Source: transformers, models/cohere/modeling_cohere.py. */
export const cohere: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "cohere",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = cohereSpec(raw, config, 500_000);
    if (config.use_qk_norm)
      setHeadNorms(spec, { kind: "layer", over: "own-head", epsilon: config.layer_norm_eps });
    return spec;
  },

  gguf: llamaGguf("command-r", {
    config: (metadata, tensors) => ({
      layer_norm_eps: metadata.get("command-r.attention.layer_norm_epsilon"),
      logit_scale: metadata.get("command-r.logit_scale"),
      use_qk_norm: tensors.has("blk.0.attn_q_norm.weight"),
    }),
  }),
};

import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import {
  isSparse,
  mixtureGguf,
  mixtureMlp,
  mixtureParts,
  sparseFields,
  usualMixture,
} from "./decoder/mixture.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  use_sliding_window: z.literal(false).default(false),
  head_dim: count.nullish(),
  ...sparseFields,
});

/** Qwen 3's mixtures of experts. Source: transformers, models/qwen3_moe/modeling_qwen3_moe.py. */
export const qwen3Moe: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "qwen3_moe",

  parts: mixtureParts,

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setHeadNorms(spec, { kind: "rms", over: "head", epsilon: config.rms_norm_eps });
    const of = {
      ...{
        hidden: config.hidden_size,
        inner: config.moe_intermediate_size,
        normalized: config.norm_topk_prob,
      },
      ...{ count: config.num_experts, perToken: config.num_experts_per_tok },
    };
    for (const [index, layer] of spec.layers.entries())
      if (isSparse(config, index)) layer.mlp = mixtureMlp(usualMixture(layer, of));
    return spec;
  },

  gguf: mixtureGguf("qwen3moe", { normalized: true, inner: "moe_intermediate_size" }),
};

import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { mixtureGguf, mixtureMlp, mixtureParts, usualMixture } from "./decoder/mixture.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  clip_qkv: z.null().optional(),
  hidden_act: z.literal("silu").default("silu"),
  num_experts: count.max(4096).default(64),
  num_experts_per_tok: count.default(8),
  norm_topk_prob: z.boolean().default(false),
});

/** OLMoE. Source: transformers, models/olmoe/modeling_olmoe.py. */
export const olmoe: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "olmoe",

  parts: mixtureParts,

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setHeadNorms(spec, { kind: "rms", over: "width", epsilon: config.rms_norm_eps });
    const of = {
      ...{ hidden: config.hidden_size, inner: config.intermediate_size, normalized: config.norm_topk_prob },
      ...{ count: config.num_experts, perToken: config.num_experts_per_tok },
    };
    for (const layer of spec.layers) layer.mlp = mixtureMlp(usualMixture(layer, of));
    return spec;
  },

  gguf: mixtureGguf("olmoe", { normalized: false, inner: "intermediate_size" }),
};

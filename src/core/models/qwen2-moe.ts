import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
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
  qkv_bias: z.boolean().default(true),
  hidden_act: z.literal("silu").default("silu"),
  use_sliding_window: z.literal(false).default(false),
  shared_expert_intermediate_size: count,
  ...sparseFields,
});

/**
 * Qwen 1.5 and 2's mixtures of experts: beside the chosen ones there is one that all tokens go to. Source: transformers,
 * models/qwen2_moe/modeling_qwen2_moe.py.
 */
export const qwen2Moe: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "qwen2_moe",

  parts: mixtureParts,

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.qkv_bias });
    const of = {
      ...{
        hidden: config.hidden_size,
        inner: config.moe_intermediate_size,
        normalized: config.norm_topk_prob,
      },
      ...{ count: config.num_experts, perToken: config.num_experts_per_tok },
    };
    for (const [index, layer] of spec.layers.entries()) {
      if (!isSparse(config, index)) continue;
      const scope = `${layer.name}.mlp.shared_expert`;
      const shared = {
        inner: config.shared_expert_intermediate_size,
        gateUp: [`${scope}.gate_proj`, `${scope}.up_proj`],
        down: `${scope}.down_proj`,
        gate: `${scope}_gate`,
      };
      layer.mlp = mixtureMlp({ ...usualMixture(layer, of), shared });
    }
    return spec;
  },

  gguf: mixtureGguf("qwen2moe", { normalized: false, inner: "moe_intermediate_size" }),
};

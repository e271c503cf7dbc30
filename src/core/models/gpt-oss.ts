import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { mixtureMlp, mixtureParts, slabMixture } from "./decoder/mixture.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  head_dim: count.default(64),
  attention_bias: z.boolean().default(true),
  hidden_act: z.literal("silu").default("silu"),
  num_local_experts: count.max(4096).default(128),
  num_experts_per_tok: count.default(4),
  swiglu_alpha: z.number().positive().default(1.702),
  swiglu_limit: z.number().positive().default(7),
  ...layerFields,
  sliding_window: count.default(128),
});

/** gpt-oss: attention with sinks, windows in every other layer. Source: transformers, models/gpt_oss/modeling_gpt_oss.py. */
export const gptOss: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gpt_oss",
  // Parameters that are no modules have no `.weight` behind their names.
  rename: (tensor) =>
    tensor.replace(
      /(\.experts\.\w+_proj)(_bias)?$/,
      (_, name, bias) => `${name}.${bias ? "bias" : "weight"}`,
    ),

  parts: mixtureParts,

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const rope = readRope({ rope_theta: 150_000, ...raw }, headDimOf(config));
    const spec = llamaSpec(config, rope);
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    const types = layerTypesOf(config, (index) => index % 2 === 1);
    setLayerTypes(spec, types, config.sliding_window);
    for (const layer of spec.layers) {
      const at = `${layer.name}.mlp`;
      layer.attention.sinks = `${layer.name}.self_attn.sinks`;
      layer.mlp = mixtureMlp(
        slabMixture(at, {
          ...{ hidden: config.hidden_size, inner: config.intermediate_size, normalized: true, bias: true },
          ...{ count: config.num_local_experts, perToken: config.num_experts_per_tok },
          router: `${at}.router`,
          clamped: { alpha: config.swiglu_alpha, limit: config.swiglu_limit },
          slabs: {
            gateUp: [`${at}.experts.gate_up_proj`],
            down: `${at}.experts.down_proj`,
            transposed: true,
          },
        }),
      );
    }
    return spec;
  },
};

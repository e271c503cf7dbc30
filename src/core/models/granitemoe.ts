import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { mixtureMlp, mixtureParts, slabMixture } from "./decoder/mixture.js";
import { multiplierFields, setMultipliers } from "./decoder/multipliers.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  num_local_experts: count.max(4096).default(8),
  num_experts_per_tok: count.default(2),
  ...multiplierFields,
});

/** Granite 3's mixtures of experts. Source: transformers, models/granitemoe/modeling_granitemoe.py. */
export const granitemoe: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "granitemoe",

  parts: mixtureParts,

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    for (const layer of spec.layers) {
      const at = `${layer.name}.block_sparse_moe`;
      layer.mlp = mixtureMlp(
        slabMixture(at, {
          ...{ hidden: config.hidden_size, inner: config.intermediate_size, normalized: true },
          ...{ count: config.num_local_experts, perToken: config.num_experts_per_tok },
          router: `${at}.router.layer`,
          slabs: { gateUp: [`${at}.input_linear`], down: `${at}.output_linear` },
        }),
      );
    }
    setMultipliers(spec, config);
    return spec;
  },
};

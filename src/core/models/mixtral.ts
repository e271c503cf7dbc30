import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec } from "./decoder/llama-like.js";
import { mixtureMlp, usualMixture } from "./decoder/mixture.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.literal("silu").default("silu"),
  sliding_window: count.nullish(),
  num_local_experts: count.max(4096).default(8),
  num_experts_per_tok: count.default(2),
});

const NAMES: Record<string, string> = { w1: "gate_proj", w2: "down_proj", w3: "up_proj" };

/** Mixtral. Source: transformers, models/mixtral/modeling_mixtral.py. */
export const mixtral: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "mixtral",
  rename: (tensor) =>
    tensor
      .replace(".block_sparse_moe.", ".mlp.")
      .replace(/(\.experts\.\d+\.)(w[123])\./, (_, expert, name) => `${expert}${NAMES[name]}.`),

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    const of = {
      ...{ hidden: config.hidden_size, inner: config.intermediate_size, normalized: true },
      ...{ count: config.num_local_experts, perToken: config.num_experts_per_tok },
    };
    for (const layer of spec.layers) {
      layer.attention.window = config.sliding_window ?? undefined;
      layer.mlp = mixtureMlp(usualMixture(layer, of));
    }
    return spec;
  },
};

import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setFusedGateUp } from "./decoder/changes.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.nullable().default(128),
  max_position_embeddings: positions.default(131_072),
  rms_norm_eps: z.number().positive().default(1.5625e-7),
  attention_bias: z.boolean().default(true),
  hidden_act: z.literal("silu").default("silu"),
});

/** GLM-4 9B, GLM-Edge: half of a head's components rotate, as neighbours. Source: transformers, models/glm. */
export const glm: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "glm",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const rope = readRope(raw, headDimOf(config), { partial: 0.5 });
    const spec = llamaSpec(config, { ...rope, interleaved: true });
    setBiases(spec, { qkv: config.attention_bias });
    setFusedGateUp(spec);
    return spec;
  },
};

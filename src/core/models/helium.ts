import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.default(128),
  max_position_embeddings: positions.default(4096),
  rms_norm_eps: z.number().positive().default(1e-8),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

/** Helium: llama whose neighbours rotate together. Source: transformers, models/helium/modeling_helium.py. */
export const helium: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "helium",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const rope = readRope(raw, headDimOf(config), { theta: 100_000 });
    const spec = llamaSpec(config, { ...rope, interleaved: true });
    setBiases(spec, { qkv: config.attention_bias, mlp: config.mlp_bias });
    return spec;
  },
};

import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.nullable().default(128),
  attention_bias: z.boolean().default(true),
  attention_out_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

/** Seed-OSS: llama with biases. Source: transformers, models/seed_oss/modeling_seed_oss.py. */
export const seedOss: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "seed_oss",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    const { attention_bias: qkv, attention_out_bias: output, mlp_bias: mlp } = config;
    setBiases(spec, { qkv, output, mlp });
    return spec;
  },

  gguf: llamaGguf("seed_oss", {
    tensors: { "blk.N.post_attention_norm": "layers.N.post_attention_layernorm" },
  }),
};

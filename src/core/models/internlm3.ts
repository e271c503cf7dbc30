import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { llama } from "./llama.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.default(128),
  max_position_embeddings: positions.default(32_768),
  rms_norm_eps: z.number().positive().default(1e-5),
  qkv_bias: z.boolean().default(false),
  bias: z.boolean().default(false),
});

/** InternLM 3: llama under other names of fields. Source: transformers, models/internlm3/modular_internlm3.py. */
export const internlm3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "internlm3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { qkv_bias: attention_bias, bias: mlp_bias } = config;
    return llama.parseConfig({ attention_bias, mlp_bias, ...raw, ...config });
  },
};

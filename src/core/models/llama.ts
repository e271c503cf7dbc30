import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

/** Llama 1 to 3, TinyLlama, SmolLM 1 and 2, Falcon3 and others. Source: transformers, models/llama/modeling_llama.py. */
export const llama: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "llama",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    return spec;
  },

  gguf: llamaGguf("llama", { interleaved: true }),
};

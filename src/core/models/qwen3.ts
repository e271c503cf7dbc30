import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { qwenWindowFields, setQwenWindows } from "./decoder/layer-types.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.default(128),
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  ...qwenWindowFields,
});

/** Qwen 3: llama with norms of each head's q and k. Source: transformers, models/qwen3/modeling_qwen3.py. */
export const qwen3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "qwen3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setHeadNorms(spec, { kind: "rms", over: "head", epsilon: config.rms_norm_eps });
    setQwenWindows(spec, config);
    return spec;
  },

  gguf: llamaGguf("qwen3"),
};

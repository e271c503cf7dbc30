import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setNorms } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  clip_qkv: z.number().positive().nullish(),
});

/** OLMo: llama with LayerNorms that have no weights. Source: transformers, models/olmo/modeling_olmo.py. */
export const olmo: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "olmo",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setNorms(spec, { kind: "layer", bare: true, epsilon: 1e-5 });
    for (const { attention } of spec.layers) attention.clip = config.clip_qkv ?? undefined;
    return spec;
  },

  gguf: llamaGguf("olmo", {
    interleaved: true,
    config: (metadata) => ({ clip_qkv: metadata.get("olmo.attention.clamp_kqv") || undefined }),
  }),
};

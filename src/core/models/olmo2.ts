import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms, setOutputNorms } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  rms_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.literal("silu").default("silu"),
  // GGUF files of OLMo 3 say olmo2.
  sliding_window: z.null().optional(),
});

/**
 * OLMo 2: norms of what attention and MLP give, instead of what they read, and of all of q and k. Source: transformers,
 * models/olmo2/modeling_olmo2.py.
 */
export const olmo2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "olmo2",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setOutputNorms(spec);
    setHeadNorms(spec, { kind: "rms", over: "width", epsilon: config.rms_norm_eps });
    return spec;
  },

  gguf: llamaGguf("olmo2", {
    config: (metadata) => ({ sliding_window: metadata.get("olmo2.attention.sliding_window") }),
    tensors: {
      "blk.N.post_attention_norm": "layers.N.post_attention_layernorm",
      "blk.N.post_ffw_norm": "layers.N.post_feedforward_layernorm",
    },
  }),
};

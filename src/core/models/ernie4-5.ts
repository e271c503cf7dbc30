import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  head_dim: count.nullable().default(128),
  max_position_embeddings: positions.default(131_072),
  rms_norm_eps: z.number().positive().default(1e-5),
  tie_word_embeddings: z.boolean().default(true),
  use_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
});

/** ERNIE 4.5 without experts: llama whose neighbours rotate together. Source: transformers, models/ernie4_5. */
export const ernie45: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "ernie4_5",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const rope = readRope(raw, headDimOf(config), { theta: 500_000 });
    const spec = llamaSpec(config, { ...rope, interleaved: true });
    setBiases(spec, { qkv: config.use_bias, output: config.use_bias, mlp: config.use_bias });
    return spec;
  },

  // Its rows are as they were: llama.cpp rotates neighbours, as the model does.
  gguf: llamaGguf("ernie4_5", {
    config: (_, tensors) => ({ use_bias: tensors.has("blk.0.attn_q.bias") }),
  }),
};

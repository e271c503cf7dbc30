import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const scaling = z.looseObject({ alpha: z.number().positive().nullish() }).nullish();

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  rope_scaling: scaling,
  rope_parameters: scaling,
});

/**
 * Hunyuan's dense models: norms of heads behind the rotation, whose base `alpha` makes larger once and for all. Source:
 * transformers, models/hunyuan_v1_dense/modeling_hunyuan_v1_dense.py.
 */
export const hunyuanV1Dense: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "hunyuan_v1_dense",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const headDim = headDimOf(config);
    const rope = readRope(raw, headDim);
    const alpha = (config.rope_scaling ?? config.rope_parameters)?.alpha ?? 1;
    const spec = llamaSpec(config, { ...rope, theta: rope.theta * alpha ** (headDim / (headDim - 2)) });
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    const modules = ["query_layernorm", "key_layernorm"];
    setHeadNorms(spec, { modules, kind: "rms", over: "head", epsilon: config.rms_norm_eps });
    for (const { attention } of spec.layers) attention.rotateFirst = true;
    return spec;
  },

  // The converter writes the base that alpha gives.
  gguf: llamaGguf("hunyuan-dense", {
    config: () => ({ rope_scaling: undefined }),
    tensors: {
      "blk.N.attn_q_norm": "layers.N.self_attn.query_layernorm",
      "blk.N.attn_k_norm": "layers.N.self_attn.key_layernorm",
    },
  }),
};

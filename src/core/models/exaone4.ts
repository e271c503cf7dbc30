import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms, setOutputNorms } from "./decoder/changes.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  hidden_act: z.literal("silu").default("silu"),
  ...layerFields,
  sliding_window: count.nullable().default(4096),
  /** Every so many layers one sees everything; or a letter for each, such as LLLG. */
  sliding_window_pattern: z
    .union([count, z.string().min(1)])
    .nullable()
    .default(4),
});

/**
 * EXAONE 4: norms of what attention and MLP give. Where some layers have windows, only they know positions. Source:
 * transformers, models/exaone4/modeling_exaone4.py.
 */
export const exaone4: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "exaone4",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setOutputNorms(spec);
    setHeadNorms(spec, { kind: "rms", over: "head", epsilon: config.rms_norm_eps });
    const { sliding_window: window, sliding_window_pattern: pattern } = config;
    if (window === null) return spec;
    const period = typeof pattern === "string" ? pattern.length : (pattern ?? 1);
    const types = layerTypesOf(config, (index) => (index + 1) % period === 0);
    setLayerTypes(spec, types, window, ({ attention }, type) => {
      if (type === "full_attention") attention.rope = undefined;
    });
    return spec;
  },

  gguf: llamaGguf("exaone4", {
    config: (metadata) => ({ sliding_window: metadata.get("exaone4.attention.sliding_window") ?? null }),
    tensors: {
      "blk.N.post_attention_norm": "layers.N.post_attention_layernorm",
      "blk.N.post_ffw_norm": "layers.N.post_feedforward_layernorm",
    },
  }),
};

import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { qwenWindowFields, setQwenWindows } from "./decoder/layer-types.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({ hidden_act: z.literal("silu").default("silu"), ...qwenWindowFields });

/** Qwen 1.5, 2 and 2.5: llama with biases on q, k and v. Source: transformers, models/qwen2/modeling_qwen2.py. */
export const qwen2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "qwen2",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: true });
    setQwenWindows(spec, config);
    return spec;
  },

  gguf: llamaGguf("qwen2"),
};

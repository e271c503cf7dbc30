import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { gemmaSchema, gemmaSpec } from "./decoder/gemma-like.js";
import { llamaGguf } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = gemmaSchema({});

/** Gemma. Source: transformers, models/gemma/modeling_gemma.py. */
export const gemma: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gemma",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    return gemmaSpec(config, readRope(raw, config.head_dim));
  },

  gguf: llamaGguf("gemma", { config: () => ({ norm_offset: 0 }) }),
};

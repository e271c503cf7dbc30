import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  hidden_act: z.literal("silu").default("silu"),
  sliding_window: count.nullable().default(4096),
});

/**
 * Mistral 7B, Nemo and others: llama with a window in every layer, or none. Its GGUF files say llama. Source:
 * transformers, models/mistral/modeling_mistral.py.
 */
export const mistral: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "mistral",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    for (const { attention } of spec.layers) attention.window = config.sliding_window ?? undefined;
    return spec;
  },
};

import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { mistral } from "./mistral.js";
import type { Architecture } from "./types.js";

/** What the class has for files that say nothing of it. */
const defaultRope = {
  rope_type: "yarn",
  rope_theta: 1_000_000,
  factor: 16,
  original_max_position_embeddings: 16_384,
  mscale: 1,
  mscale_all_dim: 1,
  llama_4_scaling_beta: 0.1,
};

const schema = llamaSchema({
  head_dim: count.nullable().default(128),
  max_position_embeddings: positions.default(262_144),
  rms_norm_eps: z.number().positive().default(1e-5),
  sliding_window: count.nullable().default(null),
  rope_parameters: z
    .looseObject({
      original_max_position_embeddings: count,
      llama_4_scaling_beta: z.number().nonnegative(),
    })
    .default(defaultRope),
});

/** Ministral 3: Mistral with yarn, whose queries grow with their positions. Source: transformers, models/ministral3. */
export const ministral3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "ministral3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const { llama_4_scaling_beta: beta, original_max_position_embeddings: length } = config.rope_parameters;
    const spec = mistral.parseConfig({ ...raw, ...config });
    for (const { attention } of spec.layers) attention.growth = { beta, length };
    return spec;
  },
};

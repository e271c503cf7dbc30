import { z } from "zod";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec, NormSpec } from "./decoder/spec.js";
import { granite } from "./granite.js";
import type { Architecture } from "./types.js";

const factor = z.number().positive();

const schema = llamaSchema({
  attention_multiplier: factor.nullish(),
  logits_scaling: factor.default(1),
  use_post_norm: z.boolean().default(true),
});

/** HyperCLOVA X: Granite with norms of what attention and MLP give. Source: transformers, models/hyperclovax. */
export const hyperclovax: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "hyperclovax",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const attention_multiplier = config.attention_multiplier ?? headDimOf(config) ** -0.5;
    const spec = granite.parseConfig({ ...raw, attention_multiplier });
    // Granite divides logits.
    spec.head.scale = config.logits_scaling;
    if (!config.use_post_norm) return spec;
    for (const { name, norms } of spec.layers) {
      const named = (module: string): NormSpec => ({
        ...(norms.mlp as NormSpec),
        module: `${name}.${module}`,
      });
      norms.attentionOutput = named("post_norm1");
      norms.mlpOutput = named("post_norm2");
    }
    return spec;
  },
};

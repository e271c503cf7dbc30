import { z } from "zod";
import type { MetadataValue } from "../../weights/types.js";
import type { DecoderSpec } from "./spec.js";

const factor = z.number().positive().default(1);

/** config.json's factors of Granite's models. */
export const multiplierFields = {
  embedding_multiplier: factor,
  /** Of what attention and MLP add to the residual. */
  residual_multiplier: factor,
  /** Of scores; in the place of headDim^-½. */
  attention_multiplier: factor,
  /** What logits are divided by. */
  logits_scaling: factor,
};

export function setMultipliers(
  spec: DecoderSpec,
  config: z.infer<z.ZodObject<typeof multiplierFields>>,
): void {
  spec.embedding.scale = config.embedding_multiplier;
  spec.head.scale = 1 / config.logits_scaling;
  for (const layer of spec.layers) {
    layer.branchScale = config.residual_multiplier;
    layer.attention.scale = config.attention_multiplier;
  }
}

/** The same out of GGUF's metadata. */
export function ggufMultipliers(arch: string) {
  return (metadata: ReadonlyMap<string, MetadataValue>): Record<string, unknown> => ({
    embedding_multiplier: metadata.get(`${arch}.embedding_scale`),
    residual_multiplier: metadata.get(`${arch}.residual_scale`),
    attention_multiplier: metadata.get(`${arch}.attention.scale`),
    logits_scaling: metadata.get(`${arch}.logit_scale`),
  });
}

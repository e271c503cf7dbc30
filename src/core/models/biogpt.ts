import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { fairseqSpec } from "./decoder/gpt-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  intermediate_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  max_position_embeddings: positions.default(1024),
  hidden_act: z.enum(activationNames).default("gelu"),
  scale_embedding: z.boolean().default(true),
  tie_word_embeddings: z.boolean().default(true),
});

/** BioGPT. Source: transformers, models/biogpt/modeling_biogpt.py. */
export const biogpt: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "biogpt",
  prefixes: ["biogpt."],

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    return fairseqSpec({
      hidden: config.hidden_size,
      inner: config.intermediate_size,
      layers: config.num_hidden_layers,
      heads: config.num_attention_heads,
      headsField: "num_attention_heads",
      contextLength: config.max_position_embeddings,
      activation: config.hidden_act,
      scaled: config.scale_embedding,
      positions: { module: "embed_positions", offset: 2 },
      head: { module: "output_projection", tied: config.tie_word_embeddings },
    });
  },
};

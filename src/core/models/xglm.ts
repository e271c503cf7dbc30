import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { fairseqSpec } from "./decoder/gpt-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z.looseObject({
  vocab_size: count,
  d_model: count,
  ffn_dim: count,
  num_layers: count,
  attention_heads: count,
  max_position_embeddings: positions.default(2048),
  activation_function: z.enum(activationNames).default("gelu"),
  scale_embedding: z.boolean().default(true),
  pad_token_id: z.int().nonnegative().nullish(),
  add_cross_attention: z.literal(false).default(false),
  tie_word_embeddings: z.boolean().default(true),
});

/** XGLM. Source: transformers, models/xglm/modeling_xglm.py. */
export const xglm: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "xglm",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const padding = config.pad_token_id ?? 1;
    return fairseqSpec({
      hidden: config.d_model,
      inner: config.ffn_dim,
      layers: config.num_layers,
      heads: config.attention_heads,
      headsField: "attention_heads",
      contextLength: config.max_position_embeddings,
      activation: config.activation_function,
      scaled: config.scale_embedding,
      positions: { rows: (count, hidden) => sinusoids(count, hidden, padding) },
      head: { module: "lm_head", tied: config.tie_word_embeddings },
    });
  },
};

/** Row 0 is position 0. */
const OFFSET = 2;

/**
 * Sines, then cosines of position · frequency, [count, hidden], in float32 as PyTorch computes them. The row of the
 * padding token's number is zero, whatever stands there.
 */
function sinusoids(count: number, hidden: number, padding: number): Float32Array {
  const half = Math.floor(hidden / 2);
  const { fround } = Math;
  const step = fround(-Math.log(10_000) / (half - 1));
  const rows = new Float32Array(count * hidden);
  for (let row = 0; row < count; row++) {
    if (row + OFFSET === padding) continue;
    for (let i = 0; i < half; i++) {
      const angle = fround((row + OFFSET) * fround(Math.exp(fround(i * step))));
      rows[row * hidden + i] = Math.sin(angle);
      rows[row * hidden + half + i] = Math.cos(angle);
    }
  }
  return rows;
}

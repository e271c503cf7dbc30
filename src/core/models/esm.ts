import { z } from "zod";
import { count, parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertLayer, bertSpec, oldNormNames } from "./encoder/bert-like.js";
import { robertaHeads } from "./encoder/roberta-like.js";
import type { EmbeddingsSpec } from "./encoder/spec.js";

const fields = z.looseObject({
  position_embedding_type: z.enum(["absolute", "rotary"]).default("absolute"),
  rope_theta: z.number().positive().default(10_000),
  emb_layer_norm_before: z.boolean().nullish(),
  token_dropout: z.boolean().nullish(),
  mask_token_id: count.nullish(),
  pad_token_id: z.int().nonnegative().nullish(),
  is_folding_model: z.literal(false).nullish(),
});

/** ESM-1b and ESM-2, of proteins. Source: transformers, models/esm/modeling_esm.py. */
export const esm = encoder({
  modelType: "esm",
  prefixes: ["esm."],
  // Newer releases of transformers write old names.
  rename: oldNormNames,

  read(raw) {
    const config = parseWith(fields, raw);
    const { position_embedding_type: _, ...rest } = raw;
    // The class has gelu in its code.
    const shared = bertConfig({ ...rest, hidden_act: "gelu" }, { max_position_embeddings: 1026 });
    const rotary = config.position_embedding_type === "rotary";
    const embeddings: EmbeddingsSpec = {
      word: "embeddings.word_embeddings",
      ...(!rotary && { position: "embeddings.position_embeddings", padding: config.pad_token_id ?? 1 }),
      ...(config.emb_layer_norm_before && { norm: "embeddings.layer_norm" }),
      ...(config.token_dropout && {
        tokenDropout: { maskToken: config.mask_token_id ?? 32, trained: MASKED_IN_TRAINING },
      }),
    };
    return {
      ...bertSpec(shared, embeddings, {
        ...bertLayer,
        attentionNorm: "encoder.layer.N.attention.LayerNorm",
        mlpNorm: "encoder.layer.N.LayerNorm",
      }),
      residual: "pre",
      finalNorm: "encoder.emb_layer_norm_after",
      ...(rotary && {
        rope: { theta: config.rope_theta, rotaryDim: shared.hidden_size / shared.num_attention_heads },
        // Those of training, which may have been rounded.
        ropeFrequencies: [
          "rotary_embeddings.inv_freq",
          "encoder.layer.*.attention.self.rotary_embeddings.inv_freq",
          "encoder.layer.0.attention.self.rotary_embeddings.inv_freq",
        ],
      }),
    };
  },

  heads: robertaHeads,
});

/** Of all ESM models: 15 % of the tokens were chosen, 80 % of those masked. */
const MASKED_IN_TRAINING = 0.15 * 0.8;

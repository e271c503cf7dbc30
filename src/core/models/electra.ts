import { encoder } from "./encoder/architecture.js";
import {
  type BertConfig,
  bertConfig,
  bertEmbeddings,
  bertHeads,
  bertSpec,
  embeddingSize,
  oldNormNames,
} from "./encoder/bert-like.js";

/** ELECTRA, generator and discriminator. Source: transformers, models/electra/modeling_electra.py. */
export const electra = encoder({
  modelType: "electra",
  prefixes: ["electra."],
  rename: oldNormNames,

  read(raw) {
    const config = bertConfig(raw, { intermediate_size: 1024 });
    const size = embeddingSize(raw, 128);
    return bertSpec(config, {
      ...bertEmbeddings,
      size,
      ...(size !== config.hidden_size && { projection: "embeddings_project" }),
    });
  },

  heads(raw) {
    const { layer_norm_eps: epsilon = 1e-12 } = raw as Partial<BertConfig>;
    return {
      ...bertHeads(raw),
      classifier: {
        pooler: { module: "classifier.dense", activation: "gelu" },
        scores: "classifier.out_proj",
      },
      mask: {
        transform: {
          dense: "generator_predictions.dense",
          activation: "gelu",
          norm: "generator_predictions.LayerNorm",
          epsilon,
        },
        decoder: "generator_lm_head",
        bias: ["generator_lm_head.bias"],
      },
    };
  },
});

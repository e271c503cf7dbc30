import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertLayer, bertSpec } from "./encoder/bert-like.js";
import { robertaEmbeddings, robertaHeads } from "./encoder/roberta-like.js";

/** RoBERTa with norms before its modules. Source: transformers, models/roberta_prelayernorm/modeling_roberta_prelayernorm.py. */
export const robertaPrelayernorm = encoder({
  modelType: "roberta-prelayernorm",
  prefixes: ["roberta_prelayernorm."],

  read(raw) {
    const config = bertConfig(raw);
    const layer = {
      ...bertLayer,
      attentionNorm: "encoder.layer.N.attention.LayerNorm",
      mlpNorm: "encoder.layer.N.intermediate.LayerNorm",
    };
    return { ...bertSpec(config, robertaEmbeddings(config), layer), residual: "pre", finalNorm: "LayerNorm" };
  },

  heads: robertaHeads,
});

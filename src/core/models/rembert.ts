import { z } from "zod";
import { count, parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { type BertConfig, bertConfig, bertEmbeddings, bertHeads, bertSpec } from "./encoder/bert-like.js";

const fields = z.looseObject({ input_embedding_size: count.default(256) });

/** RemBERT: small tables in, larger ones out. Source: transformers, models/rembert/modeling_rembert.py. */
export const rembert = encoder({
  modelType: "rembert",
  prefixes: ["rembert."],

  read(raw) {
    const { input_embedding_size: size } = parseWith(fields, raw);
    const embeddings = { ...bertEmbeddings, size, projection: "encoder.embedding_hidden_mapping_in" };
    return bertSpec(bertConfig(raw, { intermediate_size: 4608 }), embeddings);
  },

  heads(raw) {
    const { hidden_act: activation = "gelu", layer_norm_eps: epsilon = 1e-12 } = raw as Partial<BertConfig>;
    return {
      ...bertHeads(raw),
      mask: {
        transform: {
          dense: "cls.predictions.dense",
          activation,
          norm: "cls.predictions.LayerNorm",
          epsilon,
        },
        decoder: "cls.predictions.decoder",
        bias: ["cls.predictions.decoder.bias"],
        tied: false,
      },
    };
  },
});

import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertLayer, bertSpec } from "./encoder/bert-like.js";
import { robertaEmbeddings, robertaHeads } from "./encoder/roberta-like.js";

/** XLM-RoBERTa XL and XXL. Source: transformers, models/xlm_roberta_xl/modeling_xlm_roberta_xl.py. */
export const xlmRobertaXl = encoder({
  modelType: "xlm-roberta-xl",
  prefixes: ["roberta."],

  read(raw) {
    const config = bertConfig(raw, { layer_norm_eps: 1e-5 });
    const { norm, ...tables } = robertaEmbeddings(config);
    const layer = {
      ...bertLayer,
      attentionNorm: "encoder.layer.N.attention.self_attn_layer_norm",
      mlpNorm: "encoder.layer.N.LayerNorm",
    };
    return { ...bertSpec(config, tables, layer), residual: "pre", finalNorm: "encoder.LayerNorm" };
  },

  heads: (raw) => robertaHeads({ layer_norm_eps: 1e-5, ...raw }),
});

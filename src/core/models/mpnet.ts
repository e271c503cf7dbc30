import { z } from "zod";
import { count, parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertLayer, bertSpec } from "./encoder/bert-like.js";
import { robertaHeads } from "./encoder/roberta-like.js";

const fields = z.looseObject({ relative_attention_num_buckets: count.default(32) });

/** MPNet: attention knows how far tokens are apart. Source: transformers, models/mpnet/modeling_mpnet.py. */
export const mpnet = encoder({
  modelType: "mpnet",
  prefixes: ["mpnet."],

  read(raw) {
    parseWith(fields, raw);
    const embeddings = {
      word: "embeddings.word_embeddings",
      position: "embeddings.position_embeddings",
      padding: PADDING,
      norm: "embeddings.LayerNorm",
    };
    const attention = "encoder.layer.N.attention";
    const layer = {
      ...bertLayer,
      query: `${attention}.attn.q`,
      key: `${attention}.attn.k`,
      value: `${attention}.attn.v`,
      attentionOutput: `${attention}.attn.o`,
      attentionNorm: `${attention}.LayerNorm`,
    };
    return { ...bertSpec(bertConfig(raw), embeddings, layer), relativeBias: BIAS };
  },

  heads: robertaHeads,
});

/** The class has these numbers itself, whatever its configuration says. */
const PADDING = 1;
const BIAS = { tensor: "encoder.relative_attention_bias.weight", buckets: 32, maxDistance: 128 };

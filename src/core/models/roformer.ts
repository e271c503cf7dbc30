import { z } from "zod";
import { parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertEmbeddings, bertHeads, bertSpec, embeddingSize } from "./encoder/bert-like.js";

const fields = z.looseObject({ rotary_value: z.boolean().default(false) });

/** RoFormer: positions are rotations. Source: transformers, models/roformer/modeling_roformer.py. */
export const roformer = encoder({
  modelType: "roformer",
  prefixes: ["roformer."],

  read(raw) {
    const config = bertConfig(raw, { max_position_embeddings: 1536 });
    const size = embeddingSize(raw, config.hidden_size);
    const { position, ...tables } = bertEmbeddings;
    const projection = size === config.hidden_size ? {} : { projection: "embeddings_project" };
    const rotaryDim = config.hidden_size / config.num_attention_heads;
    return {
      ...bertSpec(config, { ...tables, size, ...projection }),
      rope: { theta: 10_000, rotaryDim, interleaved: true },
      rotatedValues: parseWith(fields, raw).rotary_value,
    };
  },

  heads(raw) {
    const heads = bertHeads(raw);
    const activation = heads.mask?.transform?.activation ?? "gelu";
    return {
      ...heads,
      classifier: { pooler: { module: "classifier.dense", activation }, scores: "classifier.out_proj" },
    };
  },
});

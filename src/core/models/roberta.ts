import { type EncoderModel, encoder } from "./encoder/architecture.js";
import { bertConfig, bertSpec } from "./encoder/bert-like.js";
import { robertaEmbeddings, robertaHeads } from "./encoder/roberta-like.js";
import type { Architecture } from "./types.js";

/** RoBERTa, DistilRoBERTa and others. Source: transformers, models/roberta/modeling_roberta.py. */
export const roberta = robertaArchitecture("roberta", ["roberta."]);

/** An architecture that has roberta's graph under another name. */
export function robertaArchitecture(modelType: string, prefixes: string[]): Architecture<EncoderModel> {
  return encoder({
    modelType,
    prefixes,
    read(raw) {
      const config = bertConfig(raw);
      return bertSpec(config, robertaEmbeddings(config));
    },
    heads: robertaHeads,
  });
}

import type { BertConfig } from "./bert-like.js";
import { bertEmbeddings } from "./bert-like.js";
import type { HeadModules } from "./heads.js";
import type { EmbeddingsSpec } from "./spec.js";

/** bert's tables, with positions behind the number of the padding token. */
export function robertaEmbeddings({ pad_token_id: padding }: BertConfig): EmbeddingsSpec {
  return { ...bertEmbeddings, padding: padding ?? ROBERTA_PADDING };
}

/** <pad> of roberta's vocabularies. */
const ROBERTA_PADDING = 1;

/** Heads of roberta's classes: no pooler, lm_head for tokens. */
export function robertaHeads(raw: Record<string, unknown>): HeadModules {
  const { layer_norm_eps: epsilon = 1e-12 } = raw as Partial<BertConfig>;
  return {
    classifier: {
      pooler: { module: "classifier.dense", activation: "tanh" },
      scores: "classifier.out_proj",
    },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: {
      transform: { dense: "lm_head.dense", activation: "gelu", norm: "lm_head.layer_norm", epsilon },
      decoder: "lm_head.decoder",
      bias: ["lm_head.bias", "lm_head.decoder.bias"],
    },
  };
}

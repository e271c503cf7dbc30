import { z } from "zod";
import { parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertSpec } from "./encoder/bert-like.js";

const fields = z.looseObject({ projection_dim: z.literal(0).default(0) });

/** DPR's encoders of questions and passages; a text's vector is that of its first token. Source: transformers, models/dpr/modeling_dpr.py. */
export const dpr = encoder({
  modelType: "dpr",
  prefixes: ["question_encoder.bert_model.", "ctx_encoder.bert_model.", "bert_model."],
  read(raw) {
    parseWith(fields, raw);
    return bertSpec(bertConfig(raw));
  },
  heads: () => ({}),
});

import { z } from "zod";
import { parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertEmbeddings, bertHeads, bertSpec, oldNormNames } from "./encoder/bert-like.js";

const fields = z.looseObject({ use_task_id: z.boolean().default(false) });

/** ERNIE: bert's graph; every text is of task 0. Source: transformers, models/ernie/modeling_ernie.py. */
export const ernie = encoder({
  modelType: "ernie",
  prefixes: ["ernie."],
  rename: oldNormNames,

  read(raw) {
    const constant = parseWith(fields, raw).use_task_id ? ["embeddings.task_type_embeddings"] : [];
    return bertSpec(bertConfig(raw), { ...bertEmbeddings, constant });
  },

  heads: bertHeads,
});

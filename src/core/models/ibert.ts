import { z } from "zod";
import { parseWith } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertSpec } from "./encoder/bert-like.js";
import { robertaEmbeddings, robertaHeads } from "./encoder/roberta-like.js";

/** Whole numbers in between would be another graph. */
const fields = z.looseObject({
  quant_mode: z.literal(false).default(false),
  hidden_act: z.literal("gelu").default("gelu"),
});

/** I-BERT as it is before it is quantized. Source: transformers, models/ibert/modeling_ibert.py. */
export const ibert = encoder({
  modelType: "ibert",
  prefixes: ["ibert."],
  read(raw) {
    parseWith(fields, raw);
    const config = bertConfig(raw);
    return bertSpec(config, robertaEmbeddings(config));
  },
  heads: robertaHeads,
});

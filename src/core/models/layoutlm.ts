import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertEmbeddings, bertHeads, bertSpec } from "./encoder/bert-like.js";

const side = (name: string): string => `embeddings.${name}_position_embeddings`;

/** LayoutLM, for text alone: every token stands at 0. Source: transformers, models/layoutlm/modeling_layoutlm.py. */
export const layoutlm = encoder({
  modelType: "layoutlm",
  prefixes: ["layoutlm."],
  read: (raw) =>
    bertSpec(bertConfig(raw), { ...bertEmbeddings, constant: ["x", "y", "x", "y", "h", "w"].map(side) }),
  heads: bertHeads,
});

import { encoder } from "./encoder/architecture.js";
import { bertConfig, bertSpec } from "./encoder/bert-like.js";

/** Splinter's encoder; its head, which reads a question token, is not built. Source: transformers, models/splinter/modeling_splinter.py. */
export const splinter = encoder({
  modelType: "splinter",
  prefixes: ["splinter."],
  read: (raw) => bertSpec(bertConfig(raw)),
  heads: () => ({}),
});

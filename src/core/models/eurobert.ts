import { z } from "zod";
import type { ClassifierHead } from "../graph/blocks/classifier-head.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  classifier_pooling: z.enum(["bos", "mean", "late"]).default("late"),
});

/** What a classifier judges, by `classifier_pooling`. */
const poolings = new Map<unknown, ClassifierHead["pooling"]>([
  ["bos", "first"],
  ["mean", "mean"],
]);

/** EuroBERT: llama whose tokens see both sides. Source: transformers, models/eurobert/modeling_eurobert.py. */
export const eurobert: Architecture<LayeredModel> = layeredEncoder({
  modelType: "eurobert",
  prefixes: ["model."],

  read(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    return { ...spec, sees: "both" };
  },

  heads: (raw) => ({
    classifier: {
      pooler: { module: "dense", activation: "gelu" },
      scores: "classifier",
      pooling: poolings.get(raw.classifier_pooling) ?? "each",
    },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: { decoder: "lm_head", bias: ["lm_head.bias"], tied: false },
  }),
});

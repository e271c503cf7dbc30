import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import type { EncoderModel } from "./encoder/architecture.js";
import { encoder } from "./encoder/architecture.js";
import { layerModules } from "./encoder/spec.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    emb_dim: count.default(2048),
    n_layers: count.default(12),
    n_heads: count.default(16),
    max_position_embeddings: positions.default(512),
    layer_norm_eps: z.number().positive().default(1e-12),
    gelu_activation: z.boolean().default(true),
    /** FlauBERT's. */
    pre_norm: z.boolean().default(false),
    is_encoder: z.literal(true).default(true),
    causal: z.literal(false).default(false),
    asm: z.literal(false).default(false),
    summary_type: z.literal("first").default("first"),
    summary_use_proj: z.literal(true).default(true),
    summary_proj_to_labels: z.literal(true).default(true),
    summary_activation: z.null().optional(),
  })
  .refine((config) => config.emb_dim % config.n_heads === 0, {
    path: ["n_heads"],
    message: "it must divide emb_dim",
  });

/** XLM. A text's language is not told, as pipelines don't. Source: transformers, models/xlm/modeling_xlm.py. */
export const xlm = xlmArchitecture("xlm");

/** An architecture that has XLM's graph under another name. */
export function xlmArchitecture(modelType: string): Architecture<EncoderModel> {
  return encoder({
    modelType,
    prefixes: ["transformer."],

    read(raw) {
      const config = parseWith(schema, raw);
      return {
        hidden: config.emb_dim,
        heads: config.n_heads,
        inner: 4 * config.emb_dim,
        epsilon: config.layer_norm_eps,
        activation: config.gelu_activation ? "gelu" : "relu",
        contextLength: config.max_position_embeddings,
        embeddings: { word: "embeddings", position: "position_embeddings", norm: "layer_norm_emb" },
        layers: layerModules(
          {
            query: "attentions.N.q_lin",
            key: "attentions.N.k_lin",
            value: "attentions.N.v_lin",
            attentionOutput: "attentions.N.out_lin",
            attentionNorm: "layer_norm1.N",
            up: "ffns.N.lin1",
            down: "ffns.N.lin2",
            mlpNorm: "layer_norm2.N",
          },
          config.n_layers,
        ),
        residual: config.pre_norm ? "pre" : "post",
      };
    },

    heads: ({ architectures }) => ({
      classifier: { scores: "sequence_summary.summary" },
      tokens: "classifier",
      // The other class searches for the end behind every start.
      ...(String(architectures).endsWith("Simple") && { spans: "qa_outputs" }),
      mask: { decoder: "pred_layer.proj", bias: ["pred_layer.proj.bias"] },
    }),
  });
}

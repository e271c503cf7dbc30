import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { count, parseWith, positions } from "./config.js";
import { encoder } from "./encoder/architecture.js";
import { layerModules } from "./encoder/spec.js";

const schema = z
  .looseObject({
    vocab_size: count,
    dim: count.default(768),
    n_layers: count.default(6),
    n_heads: count.default(12),
    hidden_dim: count.default(3072),
    max_position_embeddings: positions.default(512),
    activation: z.enum(activationNames).default("gelu"),
  })
  .refine((config) => config.dim % config.n_heads === 0, {
    path: ["n_heads"],
    message: "it must divide dim",
  });

/** DistilBERT: it has no segments. Source: transformers, models/distilbert/modeling_distilbert.py. */
export const distilbert = encoder({
  modelType: "distilbert",
  prefixes: ["distilbert."],

  read(raw) {
    const config = parseWith(schema, raw);
    const module = "transformer.layer.N";
    return {
      hidden: config.dim,
      heads: config.n_heads,
      inner: config.hidden_dim,
      epsilon: EPSILON,
      activation: config.activation,
      contextLength: config.max_position_embeddings,
      embeddings: {
        word: "embeddings.word_embeddings",
        position: "embeddings.position_embeddings",
        norm: "embeddings.LayerNorm",
      },
      layers: layerModules(
        {
          query: `${module}.attention.q_lin`,
          key: `${module}.attention.k_lin`,
          value: `${module}.attention.v_lin`,
          attentionOutput: `${module}.attention.out_lin`,
          attentionNorm: `${module}.sa_layer_norm`,
          up: `${module}.ffn.lin1`,
          down: `${module}.ffn.lin2`,
          mlpNorm: `${module}.output_layer_norm`,
        },
        config.n_layers,
      ),
      residual: "post",
    };
  },

  heads: (raw) => ({
    classifier: { pooler: { module: "pre_classifier", activation: "relu" }, scores: "classifier" },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: {
      transform: {
        dense: "vocab_transform",
        activation: (raw as Partial<z.infer<typeof schema>>).activation ?? "gelu",
        norm: "vocab_layer_norm",
        epsilon: EPSILON,
      },
      decoder: "vocab_projector",
      bias: ["vocab_projector.bias"],
    },
  }),
});

/** Of every norm; the configuration has no say. */
const EPSILON = 1e-12;

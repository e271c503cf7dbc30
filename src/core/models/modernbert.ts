import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import type { Rope } from "../graph/blocks/rope.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import type { EncoderLayersSpec, LayerSpec, NormSpec } from "./decoder/spec.js";
import type { HeadModules } from "./encoder/heads.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import type { Architecture } from "./types.js";

const layerType = z.enum(["full_attention", "sliding_attention"]);

const schema = z
  .looseObject({
    vocab_size: count,
    hidden_size: count,
    intermediate_size: count.default(1152),
    num_hidden_layers: count,
    num_attention_heads: count,
    max_position_embeddings: positions.default(8192),
    hidden_activation: z.enum(activationNames).default("gelu"),
    norm_eps: z.number().positive().default(1e-5),
    norm_bias: z.boolean().default(false),
    attention_bias: z.boolean().default(false),
    mlp_bias: z.boolean().default(false),
    local_attention: count.default(128),
    layer_types: z.array(layerType).nullish(),
    global_attn_every_n_layers: count.default(3),
    global_rope_theta: z.number().positive().default(160_000),
    /** null stands for the global one. */
    local_rope_theta: z.number().positive().nullable().default(10_000),
    rope_parameters: z.partialRecord(layerType, z.looseObject({})).nullish(),
    classifier_pooling: z.enum(["cls", "mean"]).default("cls"),
    classifier_activation: z.enum(activationNames).default("gelu"),
  })
  .refine((config) => (config.hidden_size / config.num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size into heads of an even size",
  })
  .refine((config) => !config.layer_types || config.layer_types.length === config.num_hidden_layers, {
    path: ["layer_types"],
    message: "it must name num_hidden_layers layers",
  });

type Config = z.infer<typeof schema>;

/** What heads need to know; what is wrong with it, `read` says. */
const headFields = z.looseObject({
  norm_eps: z.number().catch(1e-5),
  norm_bias: z.boolean().catch(false),
  classifier_bias: z.boolean().catch(false),
  classifier_pooling: z.string().catch("cls"),
  classifier_activation: z.enum(activationNames).catch("gelu"),
});

/**
 * ModernBERT, Ettin's encoders and what is made of them: pre-norm, rotated heads, most layers see only their neighbours.
 * Source: transformers, models/modernbert/modeling_modernbert.py.
 */
export const modernbert: Architecture<LayeredModel> = layeredEncoder({
  modelType: "modernbert",
  prefixes: ["model."],

  read(raw) {
    const config = parseWith(schema, raw);
    const { global_rope_theta: theta, local_rope_theta } = config;
    const rope = (type: z.infer<typeof layerType>, standard: number): Rope =>
      readRope(
        { rope_theta: standard, rope_parameters: config.rope_parameters?.[type] },
        config.hidden_size / config.num_attention_heads,
      );
    const types =
      config.layer_types ??
      Array.from({ length: config.num_hidden_layers }, (_, i) =>
        i % config.global_attn_every_n_layers ? "sliding_attention" : "full_attention",
      );
    return {
      hidden: config.hidden_size,
      contextLength: config.max_position_embeddings,
      embedding: { tokens: "embeddings.tok_embeddings", norm: normOf("embeddings.norm", config) },
      ropes: {
        rope: rope("full_attention", theta),
        "rope.local": rope("sliding_attention", local_rope_theta ?? theta),
      },
      layers: types.map((type, index) => layerOf(index, type === "sliding_attention", config)),
      norm: normOf("final_norm", config),
      sees: "both",
    } satisfies EncoderLayersSpec;
  },

  heads(raw): HeadModules {
    const config = headFields.parse(raw);
    const { norm_eps: epsilon, norm_bias: bias, classifier_activation: activation } = config;
    const head = { biased: config.classifier_bias, activation };
    const pooler = { module: "head.dense", ...head, norm: { module: "head.norm", bias, epsilon } };
    const pooling = config.classifier_pooling === "mean" ? "mean" : "first";
    return {
      classifier: { pooler, scores: "classifier", pooling },
      tokens: { pooler, scores: "classifier" },
      spans: { pooler, scores: "classifier" },
      mask: {
        transform: { dense: "head.dense", ...head, norm: "head.norm", normBias: bias, epsilon },
        decoder: "decoder",
        bias: ["decoder.bias"],
      },
    };
  },
});

function layerOf(index: number, isLocal: boolean, config: Config): LayerSpec {
  const name = `layers.${index}`;
  const heads = config.num_attention_heads;
  const { attention_bias, mlp_bias } = config;
  return {
    name,
    residual: "pre",
    norms: {
      // The first layer reads the embeddings, which are normed.
      ...(index > 0 && { attention: normOf(`${name}.attn_norm`, config) }),
      mlp: normOf(`${name}.mlp_norm`, config),
    },
    attention: {
      ...{ heads, kvHeads: heads, headDim: config.hidden_size / heads },
      qkv: { modules: [`${name}.attn.Wqkv`], bias: attention_bias },
      output: { modules: [`${name}.attn.Wo`], bias: attention_bias },
      ...(isLocal
        ? { rope: "rope.local", window: Math.floor(config.local_attention / 2) }
        : { rope: "rope" }),
    },
    mlp: {
      ...{ kind: "gated", inner: config.intermediate_size, activation: config.hidden_activation },
      gateUp: { modules: [`${name}.mlp.Wi`], bias: mlp_bias },
      down: { modules: [`${name}.mlp.Wo`], bias: mlp_bias },
    },
  };
}

function normOf(module: string, { norm_bias: bias, norm_eps: epsilon }: Config): NormSpec {
  return { kind: "layer", module, bias, epsilon };
}

import { z } from "zod";
import { activationNames } from "../../graph/blocks/activation.js";
import { count, parseWith, positions } from "../config.js";
import type { HeadModules } from "./heads.js";
import { type EmbeddingsSpec, type EncoderSpec, type LayerModules, layerModules } from "./spec.js";

/** What the configurations of bert and its kin have in common, with bert's defaults. Source: transformers, models/bert/configuration_bert.py. */
const fields = z.looseObject({
  vocab_size: count,
  hidden_size: count,
  num_hidden_layers: count,
  num_attention_heads: count,
  intermediate_size: count.default(3072),
  max_position_embeddings: positions.default(512),
  layer_norm_eps: z.number().positive().default(1e-12),
  hidden_act: z.enum(activationNames).default("gelu"),
  position_embedding_type: z.literal("absolute").nullish(),
  is_decoder: z.literal(false).default(false),
  add_cross_attention: z.literal(false).default(false),
  /** Where positions begin, in roberta's kin. */
  pad_token_id: z.int().nonnegative().nullish(),
});

const schema = fields.refine((config) => config.hidden_size % config.num_attention_heads === 0, {
  path: ["num_attention_heads"],
  message: "it must divide hidden_size",
});

export type BertConfig = z.infer<typeof schema>;

/** Checks a configuration; fields that it does not have are `defaults`. */
export function bertConfig(raw: Record<string, unknown>, defaults: Partial<BertConfig> = {}): BertConfig {
  return parseWith(schema, { ...defaults, ...raw });
}

/** A configuration as an encoder with bert's blocks; `layer` has other names of modules. */
export function bertSpec(
  config: BertConfig,
  embeddings: EmbeddingsSpec = bertEmbeddings,
  layer: LayerModules = bertLayer,
): EncoderSpec {
  return {
    hidden: config.hidden_size,
    heads: config.num_attention_heads,
    inner: config.intermediate_size,
    epsilon: config.layer_norm_eps,
    activation: config.hidden_act,
    contextLength: config.max_position_embeddings,
    embeddings,
    layers: layerModules(layer, config.num_hidden_layers),
    residual: "post",
  };
}

export const bertEmbeddings = {
  word: "embeddings.word_embeddings",
  type: "embeddings.token_type_embeddings",
  position: "embeddings.position_embeddings",
  norm: "embeddings.LayerNorm",
} satisfies EmbeddingsSpec;

export const bertLayer: LayerModules = {
  query: "encoder.layer.N.attention.self.query",
  key: "encoder.layer.N.attention.self.key",
  value: "encoder.layer.N.attention.self.value",
  attentionOutput: "encoder.layer.N.attention.output.dense",
  attentionNorm: "encoder.layer.N.attention.output.LayerNorm",
  up: "encoder.layer.N.intermediate.dense",
  down: "encoder.layer.N.output.dense",
  mlpNorm: "encoder.layer.N.output.LayerNorm",
};

/** Heads as bert's classes have them: the pooler's tanh before labels, cls.predictions for tokens. */
export function bertHeads(raw: Record<string, unknown>): HeadModules {
  const { hidden_act: activation = "gelu", layer_norm_eps: epsilon = 1e-12 } = raw as Partial<BertConfig>;
  return {
    classifier: { pooler: { module: "pooler.dense", activation: "tanh" }, scores: "classifier" },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: {
      transform: {
        dense: "cls.predictions.transform.dense",
        activation,
        norm: "cls.predictions.transform.LayerNorm",
        epsilon,
      },
      decoder: "cls.predictions.decoder",
      bias: ["cls.predictions.bias", "cls.predictions.decoder.bias"],
    },
  };
}

const sizes = z.looseObject({ embedding_size: count.nullish() });

/** The width of tables that is not that of the hidden states. */
export function embeddingSize(raw: Record<string, unknown>, otherwise: number): number {
  return parseWith(sizes, raw).embedding_size ?? otherwise;
}

/** Names in files of before 2019. */
export function oldNormNames(tensor: string): string {
  return tensor
    .replace(/LayerNorm\.gamma$/, "LayerNorm.weight")
    .replace(/LayerNorm\.beta$/, "LayerNorm.bias");
}

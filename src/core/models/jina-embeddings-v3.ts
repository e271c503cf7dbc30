import { z } from "zod";
import { activationNames } from "../graph/blocks/activation.js";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import { rotaryEncoderSpec, rotaryParts } from "./encoder/rotary.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    hidden_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    intermediate_size: count,
    max_position_embeddings: positions.default(8194),
    layer_norm_eps: z.number().positive().default(1e-5),
    type_vocab_size: z.int().min(0).max(1000).default(1),
    hidden_act: z.enum(activationNames).default("gelu"),
    position_embedding_type: z.literal("rotary").default("rotary"),
  })
  .refine((config) => (config.hidden_size / config.num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size into heads of an even size",
  });

/**
 * jina-embeddings-v3: rotated XLM-RoBERTa. The adapters of its tasks are left out, as the model leaves them out where no
 * task is named. Sources: transformers, models/jina_embeddings_v3/modeling_jina_embeddings_v3.py; of the first files,
 * jinaai/xlm-roberta-flash-implementation.
 */
export const jinaEmbeddingsV3: Architecture<LayeredModel> = layeredEncoder({
  modelType: "jina_embeddings_v3",
  prefixes: ["roberta."],
  rename: (tensor) =>
    tensor
      .replace(".parametrizations.weight.original", ".weight")
      .replace(/^emb_ln\./, "embeddings.LayerNorm.")
      .replace(/^encoder\.layers\./, "layers.")
      .replace(".mixer.out_proj.", ".self_attn.o_proj.")
      .replace(".mixer.Wqkv.", ".self_attn.qkv_proj.")
      .replace(".norm1.", ".post_attention_layernorm.")
      .replace(".norm2.", ".post_mlp_layernorm."),

  read(raw) {
    const config = parseWith(schema, raw);
    const { rotary_emb_base: base = 20_000 } = raw;
    return rotaryEncoderSpec({
      hidden: config.hidden_size,
      heads: config.num_attention_heads,
      inner: config.intermediate_size,
      layers: config.num_hidden_layers,
      contextLength: config.max_position_embeddings,
      epsilon: config.layer_norm_eps,
      activation: config.hidden_act,
      rope: readRope({ rope_theta: base, ...raw }, config.hidden_size / config.num_attention_heads),
      segments: config.type_vocab_size > 0,
      mlp: "plain",
      biases: { attention: true, up: true, down: true },
    });
  },

  parts: rotaryParts,

  heads: (raw) => ({
    classifier: { pooler: { module: "classifier.dense", activation: "tanh" }, scores: "classifier.out_proj" },
    tokens: "classifier",
    spans: "qa_outputs",
    mask: {
      transform: {
        dense: "lm_head.dense",
        activation: "gelu",
        norm: "lm_head.layer_norm",
        epsilon: (raw.layer_norm_eps as number | undefined) ?? 1e-5,
      },
      decoder: "lm_head.decoder",
      bias: ["lm_head.bias", "lm_head.decoder.bias"],
    },
  }),
});

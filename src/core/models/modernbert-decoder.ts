import { z } from "zod";
import { activate, activationNames } from "../graph/blocks/activation.js";
import { linear } from "../graph/blocks/linear.js";
import { norm } from "../graph/blocks/norm.js";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, readRopes, setLayerTypes, setRopes } from "./decoder/layer-types.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { type DecoderSpec, type NormSpec, normOf } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const activation = z.enum(activationNames).default("gelu");

const schema = llamaSchema({
  ...layerFields,
  max_position_embeddings: positions.default(8192),
  tie_word_embeddings: z.boolean().default(true),
  hidden_activation: activation,
  classifier_activation: activation,
  classifier_bias: z.boolean().default(false),
  norm_eps: z.number().positive().default(1e-5),
  norm_bias: z.boolean().default(false),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  decoder_bias: z.boolean().default(true),
  local_attention: count.default(128),
  global_attn_every_n_layers: count.default(3),
});

/** Ettin's decoders: ModernBERT that looks back only. Source: transformers, models/modernbert_decoder. */
export const modernbertDecoder: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "modernbert-decoder",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const ropes = readRopes(raw, headDimOf(config), {
      full: { field: "global_rope_theta", theta: 160_000 },
      sliding: { field: "local_rope_theta", theta: 10_000 },
    });
    const spec = llamaSpec(config, ropes.full_attention);
    const { norm_eps: epsilon, norm_bias: bias, hidden_size: hidden } = config;
    const named = (module: string): NormSpec => ({ kind: "layer", module, epsilon, bias });
    const types = layerTypesOf(config, (index) => index % config.global_attn_every_n_layers === 0);
    setLayerTypes(spec, types, Math.floor(config.local_attention / 2), (layer) => {
      const { name, attention, mlp } = layer;
      layer.norms = { attention: named(`${name}.attn_norm`), mlp: named(`${name}.mlp_norm`) };
      attention.qkv.modules = ["q_proj", "k_proj", "v_proj"].map((part) => `${name}.attn.${part}`);
      attention.output.modules = [`${name}.attn.Wo`];
      if (mlp.kind !== "gated") return;
      mlp.gateUp.modules = [`${name}.mlp.Wi`];
      mlp.down.modules = [`${name}.mlp.Wo`];
      mlp.activation = config.hidden_activation;
    });
    spec.layers[0].norms.attention = undefined;
    setRopes(spec, types, ropes);
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    spec.embedding = { tokens: "embeddings.tok_embeddings", norm: named("embeddings.norm") };
    spec.norm = named("final_norm");
    const dense = "lm_head.dense";
    spec.head = { module: "decoder", tied: config.tie_word_embeddings, bias: config.decoder_bias };
    spec.head.before = (g, x, ctx) => {
      const tensors = {
        tensors: [`${dense}.weight`],
        bias: config.classifier_bias ? [`${dense}.bias`] : undefined,
      };
      const y = linear(g, dense, x, { role: "attention_output", ...tensors }, ctx);
      const active = activate(g.at("lm_head"), y, config.classifier_activation);
      return norm(g, "lm_head.norm", active, normOf(named("lm_head.norm"), hidden), ctx);
    };
    return spec;
  },
};

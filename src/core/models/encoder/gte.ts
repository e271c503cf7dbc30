import { z } from "zod";
import { activationNames } from "../../graph/blocks/activation.js";
import type { Rope } from "../../graph/blocks/rope.js";
import { readRope } from "../../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "../config.js";
import type { HeadModules } from "./heads.js";
import type { layeredEncoder } from "./layered.js";
import { rotaryEncoderSpec, rotaryParts } from "./rotary.js";

const schema = z
  .looseObject({
    hidden_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    intermediate_size: count,
    max_position_embeddings: positions.default(8192),
    layer_norm_eps: z.number().positive().default(1e-12),
    type_vocab_size: z.int().min(0).max(1000).default(0),
    hidden_act: z.enum(activationNames).default("gelu"),
    layer_norm_type: z.literal("layer_norm").default("layer_norm"),
    position_embedding_type: z.literal("rope").default("rope"),
    logn_attention_scale: z.literal(false).default(false),
  })
  .refine((config) => (config.hidden_size / config.num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size into heads of an even size",
  });

const ntk = z.looseObject({ factor: z.number().min(1), mixed_b: z.null().optional() });

/** Rotated bert with GeGLU, biases everywhere but in what goes into the MLP. */
export const gteModel: Omit<Parameters<typeof layeredEncoder>[0], "modelType"> = {
  prefixes: ["new.", "gte."],
  rename: (tensor) =>
    tensor
      .replace(/^encoder\.layer\./, "layers.")
      .replace(".attention.o_proj.", ".self_attn.o_proj.")
      .replace(".attention.qkv_proj.", ".self_attn.qkv_proj.")
      .replace(".attn_ln.", ".post_attention_layernorm.")
      .replace(".mlp_ln.", ".post_mlp_layernorm.")
      .replace(/^lm_head\.norm\./, "lm_head.layer_norm."),

  read(raw) {
    const config = parseWith(schema, raw);
    return rotaryEncoderSpec({
      hidden: config.hidden_size,
      heads: config.num_attention_heads,
      inner: config.intermediate_size,
      layers: config.num_hidden_layers,
      contextLength: config.max_position_embeddings,
      epsilon: config.layer_norm_eps,
      activation: config.hidden_act,
      rope: ropeOf(raw, config.hidden_size / config.num_attention_heads),
      segments: config.type_vocab_size > 0,
      mlp: "gated",
      biases: { attention: true, up: false, down: true },
    });
  },

  parts: rotaryParts,

  heads: (raw): HeadModules => ({
    classifier: { pooler: { module: "pooler.dense", activation: "tanh" }, scores: "classifier" },
    tokens: "classifier",
    mask: {
      transform: {
        dense: "lm_head.dense",
        activation: "gelu",
        norm: "lm_head.layer_norm",
        epsilon: (raw.layer_norm_eps as number | undefined) ?? 1e-12,
      },
      decoder: "lm_head.decoder",
      bias: ["lm_head.decoder.bias"],
    },
  }),
};

/**
 * The frequencies θ^(-2i/d), where the files ask for it for a longer range: (θ · factor)^(-2i/d) / factor^(2/d). Source:
 * NTKScalingRotaryEmbedding of Alibaba-NLP/new-impl, modeling.py.
 */
function ropeOf(raw: Record<string, unknown>, headDim: number): Rope {
  const scaling = raw.rope_scaling as { type?: unknown } | null | undefined;
  if (scaling?.type !== "ntk") return readRope({ rope_theta: 160_000, ...raw }, headDim);
  const { factor } = parseWith(ntk, scaling);
  const { theta, ...rope } = readRope({ ...raw, rope_scaling: undefined }, headDim);
  return { ...rope, theta: theta * factor, scaling: { type: "linear", factor: factor ** (2 / headDim) } };
}

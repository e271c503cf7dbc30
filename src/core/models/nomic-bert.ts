import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith, positions } from "./config.js";
import { bertHeads } from "./encoder/bert-like.js";
import { type LayeredModel, layeredEncoder } from "./encoder/layered.js";
import { rotaryEncoderSpec, rotaryParts } from "./encoder/rotary.js";
import type { Architecture } from "./types.js";

const schema = z
  .looseObject({
    hidden_size: count,
    num_hidden_layers: count,
    num_attention_heads: count,
    intermediate_size: count,
    max_position_embeddings: positions.default(2048),
    layer_norm_eps: z.number().positive().default(1e-12),
    type_vocab_size: z.int().min(0).max(1000).default(2),
    hidden_act: z.literal("silu").default("silu"),
    activation_function: z.literal("swiglu").default("swiglu"),
    prenorm: z.literal(false).default(false),
    parallel_block: z.literal(false).default(false),
    use_rms_norm: z.literal(false).nullish(),
    causal: z.literal(false).default(false),
    rotary_emb_fraction: z.literal(1).default(1),
    rotary_emb_interleaved: z.literal(false).default(false),
    rotary_emb_scale_base: z.null().optional(),
    rotary_scaling_factor: z.number().positive().nullish(),
    max_trained_positions: positions.default(2048),
    num_experts: z.literal(0).nullish(),
    moe_every_n_layers: z.literal(0).nullish(),
    qkv_proj_bias: z.boolean().default(false),
    mlp_fc1_bias: z.boolean().default(false),
    mlp_fc2_bias: z.boolean().default(false),
  })
  .refine((config) => (config.hidden_size / config.num_attention_heads) % 2 === 0, {
    path: ["num_attention_heads"],
    message: "it must divide hidden_size into heads of an even size",
  });

/**
 * Nomic's embedding models and arctic-embed-m-long: rotated bert with SwiGLU, no biases. Sources: transformers,
 * models/nomic_bert/modeling_nomic_bert.py; of files and their configurations, nomic-ai/nomic-bert-2048,
 * modeling_hf_nomic_bert.py.
 */
export const nomicBert: Architecture<LayeredModel> = layeredEncoder({
  modelType: "nomic_bert",
  prefixes: ["nomic_bert.", "bert."],
  rename: (tensor) =>
    tensor
      .replace(/^emb_ln\./, "embeddings.LayerNorm.")
      .replace(/^encoder\.layers\./, "layers.")
      .replace(".attn.out_proj.", ".self_attn.o_proj.")
      .replace(".attn.Wqkv.", ".self_attn.qkv_proj.")
      .replace(".mlp.fc11.", ".mlp.up_proj.")
      .replace(".mlp.fc12.", ".mlp.gate_proj.")
      .replace(".mlp.fc2.", ".mlp.down_proj.")
      .replace(".norm1.", ".post_attention_layernorm.")
      .replace(".norm2.", ".post_mlp_layernorm."),

  read(raw) {
    const config = parseWith(schema, { ...inNewWords(raw), ...raw });
    const headDim = config.hidden_size / config.num_attention_heads;
    const { rotary_emb_base: base = 1000 } = raw;
    return rotaryEncoderSpec({
      hidden: config.hidden_size,
      heads: config.num_attention_heads,
      inner: config.intermediate_size,
      layers: config.num_hidden_layers,
      // Further positions would be rotated by frequencies that depend on the text's length.
      contextLength: config.rotary_scaling_factor
        ? Math.min(config.max_position_embeddings, config.max_trained_positions)
        : config.max_position_embeddings,
      epsilon: config.layer_norm_eps,
      activation: "silu",
      rope: readRope({ rope_theta: base, ...raw }, headDim),
      segments: config.type_vocab_size > 0,
      mlp: "gated",
      biases: { attention: config.qkv_proj_bias, up: config.mlp_fc1_bias, down: config.mlp_fc2_bias },
    });
  },

  parts: rotaryParts,

  heads(raw) {
    const { layer_norm_epsilon = 1e-12 } = raw;
    const { mask, ...heads } = bertHeads({ layer_norm_eps: layer_norm_epsilon, ...raw, hidden_act: "silu" });
    const norm = "cls.predictions.transform.layer_norm";
    return {
      classifier: heads.classifier,
      tokens: heads.tokens,
      ...(mask?.transform && { mask: { ...mask, transform: { ...mask.transform, norm } } }),
    };
  },
});

/** The first files' fields, which are GPT-2's. */
function inNewWords(raw: Record<string, unknown>): Record<string, unknown> {
  const names = {
    hidden_size: "n_embd",
    num_hidden_layers: "n_layer",
    num_attention_heads: "n_head",
    intermediate_size: "n_inner",
    max_position_embeddings: "n_positions",
    layer_norm_eps: "layer_norm_epsilon",
  };
  return Object.fromEntries(Object.entries(names).map(([name, old]) => [name, raw[old] ?? undefined]));
}

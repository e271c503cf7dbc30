import { z } from "zod";
import { activationNames } from "../../graph/blocks/activation.js";
import { count, parseWith, positions } from "../config.js";
import { generatesText } from "./classes.js";
import { fairseqPositions, marianPositions } from "./positions.js";
import type { EncoderDecoderSpec, LayerSpec, PositionSpec, StackSpec } from "./spec.js";

const fields = z.looseObject({
  ...generatesText,
  vocab_size: count,
  d_model: count,
  encoder_layers: count.default(12),
  decoder_layers: count.default(12),
  encoder_attention_heads: count.default(16),
  decoder_attention_heads: count.default(16),
  encoder_ffn_dim: count.default(4096),
  decoder_ffn_dim: count.default(4096),
  max_position_embeddings: positions.default(1024),
  activation_function: z.enum(activationNames).default("gelu"),
  scale_embedding: z.boolean().default(false),
  tie_word_embeddings: z.boolean().default(true),
  share_encoder_decoder_embeddings: z.boolean().default(true),
  pad_token_id: z.int().nonnegative().nullish(),
  // Of releases that could leave out or add norms (transformers before 4).
  normalize_before: z.boolean().nullish(),
  add_final_layer_norm: z.boolean().nullish(),
  static_position_embeddings: z.boolean().nullish(),
  // Of MVP.
  use_prompt: z.literal(false).default(false),
});

type Config = z.infer<typeof fields>;

const schema = fields
  .refine((config) => config.d_model % config.encoder_attention_heads === 0, {
    path: ["encoder_attention_heads"],
    message: "it must divide d_model",
  })
  .refine((config) => config.d_model % config.decoder_attention_heads === 0, {
    path: ["decoder_attention_heads"],
    message: "it must divide d_model",
  });

export interface BartVariant {
  order: "pre" | "post";
  /** `learned`: rows of a table in the file, those of position 0 at `offset`; the others are computed. */
  positions: { kind: "learned"; offset: number } | { kind: "marian" } | { kind: "fairseq" };
  /** There is a norm in front of the first layers; `words`: in the decoder it comes before positions are added. */
  embeddingNorm?: "sum" | "words";
  /** Fields that are otherwise where config.json says nothing. */
  defaults?: Record<string, unknown>;
}

/** BART and its kin: layer norms, biases everywhere. Source: transformers, models/bart/modeling_bart.py. */
export function bartSpec(raw: Record<string, unknown>, variant: BartVariant): EncoderDecoderSpec {
  const config = parseWith(schema, { ...variant.defaults, ...raw });
  const own = !config.share_encoder_decoder_embeddings;
  return {
    hidden: config.d_model,
    encoder: stackOf("encoder", own ? "encoder.embed_tokens" : "shared", config, variant),
    decoder: stackOf("decoder", own ? "decoder.embed_tokens" : "shared", config, variant),
    order: variant.order,
    norm: { kind: "layer", epsilon: 1e-5 },
    bias: true,
    head: { module: "lm_head", tied: config.tie_word_embeddings, bias: "final_logits_bias" },
    contextLength: config.max_position_embeddings,
    answerLength: config.max_position_embeddings,
  };
}

function stackOf(
  name: "encoder" | "decoder",
  table: string,
  config: Config,
  { order, positions: kind, embeddingNorm }: BartVariant,
): StackSpec {
  const heads = config[`${name}_attention_heads`];
  const module = `${name}.layernorm_embedding`;
  const of = name === "decoder" && embeddingNorm === "words" ? "words" : "sum";
  return {
    heads,
    headDim: config.d_model / heads,
    inner: config[`${name}_ffn_dim`],
    activation: config.activation_function,
    layers: Array.from({ length: config[`${name}_layers`] }, (_, layer) => layerOf(name, layer)),
    table,
    tableScale: config.scale_embedding ? Math.sqrt(config.d_model) : 1,
    positions: positionsOf(name, config, kind),
    embeddingNorm: embeddingNorm && { module, of },
    finalNorm: order === "pre" ? `${name}.layer_norm` : undefined,
  };
}

function positionsOf(name: string, config: Config, of: BartVariant["positions"]): PositionSpec {
  const { max_position_embeddings: count, d_model: width, pad_token_id: padding } = config;
  const module = `${name}.embed_positions`;
  if (of.kind === "learned") return { module, offset: of.offset };
  if (of.kind === "marian")
    return { module, offset: 0, computed: { rows: count, values: () => marianPositions(count, width) } };
  // Positions of tokens begin behind the padding token's row.
  const offset = (padding ?? 1) + 1;
  const rows = count + offset;
  return { module, offset, computed: { rows, values: () => fairseqPositions(rows, width, offset - 1) } };
}

function layerOf(stack: "encoder" | "decoder", index: number): LayerSpec {
  const layer = `${stack}.layers.${index}`;
  const attention = (name: string) => ({
    query: `${layer}.${name}.q_proj`,
    key: `${layer}.${name}.k_proj`,
    value: `${layer}.${name}.v_proj`,
    output: `${layer}.${name}.out_proj`,
    norm: `${layer}.${name}_layer_norm`,
  });
  return {
    name: layer,
    self: attention("self_attn"),
    cross: stack === "decoder" ? attention("encoder_attn") : undefined,
    mlp: { up: [`${layer}.fc1`], down: `${layer}.fc2`, norm: `${layer}.final_layer_norm` },
  };
}

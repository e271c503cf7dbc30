import { z } from "zod";
import { count, parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setHeadNorms } from "./decoder/changes.js";
import { gemmaGguf, gemmaSchema, gemmaSpec, ggufScoreSize, setGemmaNorms } from "./decoder/gemma-like.js";
import { layerFields, layerTypesOf, readRopes, setLayerTypes, setRopes } from "./decoder/layer-types.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const LARGEST_LAYERS = 62;

/** Configurations inside those of models for images leave out what is as it is by default. */
const schema = gemmaSchema({
  vocab_size: count.default(262_208),
  num_attention_heads: count.default(8),
  num_key_value_heads: count.default(4),
  max_position_embeddings: positions.default(131_072),
  ...layerFields,
  sliding_window: layerFields.sliding_window.default(4096),
  sliding_window_pattern: count.default(6),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.null().optional(),
  final_logit_softcapping: z.number().positive().nullish(),
  use_bidirectional_attention: z.boolean().nullish(),
});

/**
 * Gemma 3: norms of heads, and two rotations: a slow one for layers that see everything, every sixth. Source:
 * transformers, models/gemma3/modeling_gemma3.py.
 */
export const gemma3Text: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "gemma3_text",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const ropes = readRopes(raw, config.head_dim, {
      full: { field: "rope_theta", theta: 1_000_000 },
      sliding: { field: "rope_local_base_freq", theta: 10_000 },
    });
    const spec = gemmaSpec(config, ropes.full_attention);
    setGemmaNorms(spec, { outputs: true });
    setHeadNorms(spec, {
      kind: "rms",
      over: "head",
      epsilon: config.rms_norm_eps,
      offset: config.norm_offset,
    });
    const { sliding_window_pattern: pattern } = config;
    const types = layerTypesOf(config, (index) => (index + 1) % pattern === 0);
    // EmbeddingGemma's window is what both sides together have.
    const { use_bidirectional_attention: both, sliding_window: window } = config;
    if (both) spec.sees = "both";
    setLayerTypes(spec, types, both && window ? Math.floor(window / 2) : window, ({ attention }) => {
      attention.scale = config.query_pre_attn_scalar ** -0.5;
    });
    setRopes(spec, types, ropes);
    spec.head.softcap = config.final_logit_softcapping ?? undefined;
    return spec;
  },

  gguf: gemmaGguf("gemma3", (metadata) => ({
    sliding_window: metadata.get("gemma3.attention.sliding_window"),
    rope_local_base_freq: metadata.get("gemma3.rope.freq_base_swa"),
    final_logit_softcapping: metadata.get("gemma3.final_logit_softcapping"),
    query_pre_attn_scalar: ggufScoreSize(metadata, "gemma3", LARGEST_LAYERS),
  })),
};

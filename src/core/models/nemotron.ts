import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setNorms, setPlainMlp } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  max_position_embeddings: positions.default(4096),
  norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("relu2").default("relu2"),
  /** Norms keep what their weights are above 1; GGUF's converter adds it. */
  norm_offset: z.union([z.literal(0), z.literal(1)]).default(1),
});

/** Nemotron 3 and 4, Minitron: LayerNorms above 1, squared ReLU. Source: transformers, models/nemotron. */
export const nemotron: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "nemotron",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config), { partial: 0.5 }));
    setPlainMlp(spec, { activation: config.hidden_act });
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    setNorms(spec, { kind: "layer", bias: true, epsilon: config.norm_eps, offset: config.norm_offset });
    return spec;
  },

  gguf: llamaGguf("nemotron", {
    config: (metadata) => ({
      norm_offset: 0,
      norm_eps: metadata.get("nemotron.attention.layer_norm_epsilon"),
    }),
  }),
};

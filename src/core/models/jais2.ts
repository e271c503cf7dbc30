import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setNorms, setPlainMlp } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  max_position_embeddings: positions.default(8192),
  layer_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(true),
  mlp_bias: z.boolean().default(true),
  hidden_act: z.literal("relu2").default("relu2"),
});

/** Jais 2: llama with LayerNorms and a plain MLP. Source: transformers, models/jais2/modeling_jais2.py. */
export const jais2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "jais2",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setNorms(spec, { kind: "layer", bias: true, epsilon: config.layer_norm_eps });
    setPlainMlp(spec, { activation: config.hidden_act });
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    return spec;
  },

  gguf: llamaGguf("jais2", {
    config: (metadata) => ({ layer_norm_eps: metadata.get("jais2.attention.layer_norm_epsilon") }),
  }),
};

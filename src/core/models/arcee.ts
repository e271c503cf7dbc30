import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith, positions } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setPlainMlp } from "./decoder/changes.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  max_position_embeddings: positions.default(4096),
  rms_norm_eps: z.number().positive().default(1e-5),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("relu2").default("relu2"),
});

/** AFM: llama with a plain MLP and squared ReLU. Source: transformers, models/arcee/modeling_arcee.py. */
export const arcee: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "arcee",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setPlainMlp(spec, { activation: config.hidden_act });
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    return spec;
  },

  gguf: llamaGguf("arcee", { interleaved: true }),
};

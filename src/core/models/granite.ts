import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { ggufMultipliers, multiplierFields, setMultipliers } from "./decoder/multipliers.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  ...multiplierFields,
});

/** Granite 3: llama with factors. Source: transformers, models/granite/modeling_granite.py. */
export const granite: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "granite",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    setMultipliers(spec, config);
    return spec;
  },

  gguf: llamaGguf("granite", { interleaved: true, config: ggufMultipliers("granite") }),
};

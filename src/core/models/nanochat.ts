import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { setNorms, setPlainMlp } from "./decoder/changes.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("relu2").default("relu2"),
  final_logit_softcapping: z.number().positive().nullable().default(15),
});

/**
 * nanochat: norms without weights everywhere, also behind the embedding and, behind a rotation the other way round, of
 * heads. Source: transformers, models/nanochat/modeling_nanochat.py.
 */
export const nanochat: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "nanochat",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const rope = readRope(raw, headDimOf(config));
    const spec = llamaSpec(config, { ...rope, reversed: true });
    const bare = { kind: "rms" as const, epsilon: config.rms_norm_eps };
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setPlainMlp(spec, { modules: ["fc1", "fc2"], activation: config.hidden_act });
    setNorms(spec, { ...bare, bare: true });
    for (const { attention } of spec.layers) {
      attention.norms = { ...bare, over: "head" };
      attention.rotateFirst = true;
    }
    spec.embedding.norm = { ...bare, bare: true, module: "embed_norm" };
    spec.head.softcap = config.final_logit_softcapping ?? undefined;
    return spec;
  },
};

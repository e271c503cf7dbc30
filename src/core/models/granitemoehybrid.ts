import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { headDimOf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import { multiplierFields, setMultipliers } from "./decoder/multipliers.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  ...multiplierFields,
  attention_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  shared_intermediate_size: count.default(1024),
  position_embedding_type: z.enum(["rope", "nope"]).nullish(),
  // Experts and Mamba's layers are not built.
  num_local_experts: z.literal(0),
  layer_types: z.array(z.enum(["attention", "full_attention"])),
});

/** Granite 4 without experts and Mamba. Source: transformers, models/granitemoehybrid. */
export const granitemoehybrid: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "granitemoehybrid",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config)));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias });
    setMultipliers(spec, config);
    const rotates = config.position_embedding_type === "rope";
    if (!rotates) spec.ropes = {};
    for (const { name, attention, mlp } of spec.layers) {
      if (!rotates) attention.rope = undefined;
      if (mlp.kind !== "gated") continue;
      mlp.inner = config.shared_intermediate_size;
      mlp.gateUp = { modules: [`${name}.shared_mlp.input_linear`] };
      mlp.down = { modules: [`${name}.shared_mlp.output_linear`] };
    }
    return spec;
  },
};

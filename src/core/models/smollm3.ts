import { z } from "zod";
import { readRope } from "../graph/blocks/rope-config.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import { headDimOf, llamaGguf, llamaSchema, llamaSpec, setBiases } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  mlp_bias: z.boolean().default(false),
  hidden_act: z.literal("silu").default("silu"),
  /** 1 where a layer rotates, in spite of the name. */
  no_rope_layers: z.array(z.int().min(0).max(1)).nullish(),
  no_rope_layer_interval: count.default(4),
  ...layerFields,
  use_sliding_window: z.boolean().default(false),
});

/** SmolLM 3: llama with layers that know no positions. Source: transformers, models/smollm3/modeling_smollm3.py. */
export const smollm3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "smollm3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = llamaSpec(config, readRope(raw, headDimOf(config), { theta: 2_000_000 }));
    setBiases(spec, { qkv: config.attention_bias, output: config.attention_bias, mlp: config.mlp_bias });
    const { no_rope_layers: listed, no_rope_layer_interval: interval } = config;
    const rotates = (index: number): boolean =>
      listed?.length ? listed[index] === 1 : (index + 1) % interval !== 0;
    for (const [index, { attention }] of spec.layers.entries())
      if (!rotates(index)) attention.rope = undefined;
    if (config.use_sliding_window) setLayerTypes(spec, layerTypesOf(config, rotates), config.sliding_window);
    return spec;
  },

  gguf: llamaGguf("smollm3", { interleaved: true }),
};

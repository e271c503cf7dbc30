import { cohereFields, cohereSpec } from "./cohere.js";
import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import { llamaGguf, llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({
  ...cohereFields,
  ...layerFields,
  sliding_window: count.nullable().default(4096),
  sliding_window_pattern: count.default(4),
});

/**
 * Command R7B, Command A: windows in three of four layers; the others know no positions. Source: transformers,
 * models/cohere2/modeling_cohere2.py.
 */
export const cohere2: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "cohere2",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = cohereSpec(raw, config, 10_000);
    const { sliding_window_pattern: pattern } = config;
    const types = layerTypesOf(config, (index) => (index + 1) % pattern === 0);
    setLayerTypes(spec, types, config.sliding_window, ({ attention }) => {
      if (attention.window === undefined) attention.rope = undefined;
    });
    return spec;
  },

  gguf: llamaGguf("cohere2", {
    config: (metadata) => ({
      layer_norm_eps: metadata.get("cohere2.attention.layer_norm_epsilon"),
      logit_scale: metadata.get("cohere2.logit_scale"),
      sliding_window: metadata.get("cohere2.attention.sliding_window"),
    }),
  }),
};

import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, setLayerTypes } from "./decoder/layer-types.js";
import { llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { mistral } from "./mistral.js";
import type { Architecture } from "./types.js";

const schema = llamaSchema({ ...layerFields, sliding_window: count.nullable().default(4096) });

/** Ministral 8B: Mistral with windows in some layers. Source: transformers, models/ministral/modeling_ministral.py. */
export const ministral: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "ministral",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = mistral.parseConfig({ ...raw, sliding_window: null });
    setLayerTypes(
      spec,
      layerTypesOf(config, () => false),
      config.sliding_window,
    );
    return spec;
  },
};

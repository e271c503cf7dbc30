import { count, parseWith } from "./config.js";
import { decoder } from "./decoder/architecture.js";
import { layerFields, layerTypesOf, readRopes, setLayerTypes, setRopes } from "./decoder/layer-types.js";
import { headDimOf, llamaSchema } from "./decoder/llama-like.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { olmo2 } from "./olmo2.js";
import type { Architecture } from "./types.js";

const THETA = 500_000;

const schema = llamaSchema({ ...layerFields, sliding_window: count.nullable().default(4096) });

/** OLMo 3: OLMo 2 with windows in three of four layers. Source: transformers, models/olmo3/modeling_olmo3.py. */
export const olmo3: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "olmo3",

  parseConfig(raw) {
    const config = parseWith(schema, raw);
    const spec = olmo2.parseConfig({
      ...raw,
      rope_parameters: undefined,
      rope_scaling: undefined,
      sliding_window: undefined,
    });
    const types = layerTypesOf(config, (index) => (index + 1) % 4 === 0);
    setLayerTypes(spec, types, config.sliding_window);
    const ropes = readRopes(raw, headDimOf(config), {
      full: { field: "rope_theta", theta: THETA },
      sliding: { field: "", theta: THETA },
    });
    setRopes(spec, types, ropes);
    return spec;
  },
};

import { HfmsError } from "../errors.js";
import { decoder } from "./decoder/architecture.js";
import { queryKeyValue } from "./decoder/gpt-like.js";
import { decoderShapes } from "./decoder/shapes.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { gptjSpec } from "./gptj.js";
import type { Part } from "./parts.js";
import type { Architecture } from "./types.js";

/** The model was trained on four cores, and its file has q, v and k of each core's heads together. */
const CORES = 4;
const ORDER = ["query", "value", "key"];

/** CodeGen: GPT-J with a fused projection. Source: transformers, models/codegen/modeling_codegen.py. */
export const codegen: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "codegen",
  prefixes: ["transformer."],

  parseConfig(raw) {
    const spec = gptjSpec(raw, queryKeyValue);
    const { heads } = spec.layers[0].attention;
    if (heads % CORES === 0) return spec;
    throw new HfmsError("unsupported_model", `config.json: n_head is ${heads}: ${CORES} must divide it`, {
      param: "n_head",
    });
  },

  parts(spec) {
    const parts: Record<string, Part> = {};
    const width = spec.hidden / CORES;
    for (const { name } of spec.layers) {
      for (const [place, part] of ORDER.entries()) {
        parts[`${name}.attn.${part}`] = {
          module: `${name}.attn.qkv_proj`,
          rows: spec.hidden,
          from: (row) => (3 * Math.floor(row / width) + place) * width + (row % width),
        };
      }
    }
    return parts;
  },

  shapes: (spec) => ({ ...decoderShapes(spec), "h.N.attn.qkv_proj": [3 * spec.hidden, spec.hidden] }),
};

import type { Architecture } from "../types.js";
import { buildDecoder } from "./build.js";
import { buildHiddenStates } from "./hidden-states.js";
import { decoderShapes } from "./shapes.js";
import type { DecoderSpec } from "./spec.js";

/** What all decoders have in common: a model's file adds its name, and how its configuration becomes a spec. */
export const decoder = {
  tasks: ["text-generation"],
  prefixes: ["model."],
  shapes: decoderShapes,
  build: buildDecoder,
  buildEncoder(g, spec, ctx) {
    const { hidden, word, contextLength } = buildHiddenStates(g, spec, ctx);
    return { kind: "encoder", hiddenSize: hidden, vocabularySize: word.rows, contextLength };
  },
} satisfies Partial<Architecture<DecoderSpec>>;

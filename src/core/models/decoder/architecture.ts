import type { Architecture } from "../types.js";
import { buildDecoder } from "./build.js";
import { decoderShapes } from "./shapes.js";
import type { DecoderSpec } from "./spec.js";

/** What all decoders have in common: a model's file adds its name, and how its configuration becomes a spec. */
export const decoder = {
  tasks: ["text-generation"],
  prefixes: ["model."],
  shapes: decoderShapes,
  build: buildDecoder,
} satisfies Partial<Architecture<DecoderSpec>>;

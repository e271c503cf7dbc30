import type { Architecture } from "../types.js";
import { buildEncoderDecoder } from "./build.js";
import { encoderDecoderShapes } from "./shapes.js";
import type { EncoderDecoderSpec } from "./spec.js";

/** What all encoder-decoders have in common: a model's file adds its name, and how its configuration becomes a spec. */
export const encoderDecoder = {
  tasks: ["text2text-generation", "summarization", "translation", "text-generation"],
  prefixes: ["model."],
  shapes: encoderDecoderShapes,
  build: buildEncoderDecoder,
} satisfies Partial<Architecture<EncoderDecoderSpec>>;

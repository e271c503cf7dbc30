import type { Architecture } from "../types.js";
import { buildEncoderDecoder, buildSourceEncoder } from "./build.js";
import { encoderDecoderShapes } from "./shapes.js";
import type { EncoderDecoderSpec } from "./spec.js";

/** What all encoder-decoders have in common: a model's file adds its name, and how its configuration becomes a spec. */
export const encoderDecoder = {
  tasks: ["text2text-generation", "summarization", "translation", "text-generation"],
  prefixes: ["model."],
  shapes: encoderDecoderShapes,
  build: buildEncoderDecoder,
  buildEncoder: buildSourceEncoder,
} satisfies Partial<Architecture<EncoderDecoderSpec>>;

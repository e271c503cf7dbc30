import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** Marian: the opus-mt models, one for each pair of languages. Source: transformers, models/marian/modeling_marian.py. */
export const marian: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "marian",
  tasks: ["translation", "text2text-generation", "text-generation"],
  answering: { decoder_start_token_id: 58100, forced_eos_token_id: 0 },
  parseConfig: (raw) => bartSpec(raw, { order: "post", positions: { kind: "marian" } }),
};

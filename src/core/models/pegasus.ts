import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** Pegasus. Source: transformers, models/pegasus/modeling_pegasus.py. */
export const pegasus: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "pegasus",
  tasks: ["summarization", "text2text-generation", "translation", "text-generation"],
  answering: { decoder_start_token_id: 0, forced_eos_token_id: 1 },
  parseConfig: (raw) => bartSpec(raw, { order: "pre", positions: { kind: "marian" } }),
};

import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** BART, DistilBART. Source: transformers, models/bart/modeling_bart.py. */
export const bart: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "bart",
  tasks: ["summarization", "text2text-generation", "translation", "text-generation"],
  answering: { decoder_start_token_id: 2, forced_eos_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, { order: "post", positions: { kind: "learned", offset: 2 }, embeddingNorm: "sum" }),
};

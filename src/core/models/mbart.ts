import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** mBART, mBART-50. Source: transformers, models/mbart/modeling_mbart.py. */
export const mbart: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "mbart",
  tasks: ["translation", "text2text-generation", "summarization", "text-generation"],
  answering: { forced_eos_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, { order: "pre", positions: { kind: "learned", offset: 2 }, embeddingNorm: "sum" }),
};

import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** MVP without its prompts. Source: transformers, models/mvp/modeling_mvp.py. */
export const mvp: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "mvp",
  answering: { decoder_start_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, {
      order: "post",
      positions: { kind: "learned", offset: 2 },
      embeddingNorm: "sum",
    }),
};

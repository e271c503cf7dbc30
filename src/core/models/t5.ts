import { encoderDecoder } from "./encoder-decoder/architecture.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import { t5Spec } from "./encoder-decoder/t5-like.js";
import type { Architecture } from "./types.js";

/** T5, T5 v1.1, FLAN-T5. Source: transformers, models/t5/modeling_t5.py. */
export const t5: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "t5",
  answering: { decoder_start_token_id: 0 },
  // v1.1 does not scale, and says so by another field in files that transformers before 5 wrote.
  parseConfig: (raw) =>
    t5Spec(raw, { scales: (config) => config.scale_decoder_outputs ?? config.tie_word_embeddings }),
};

import { encoderDecoder } from "./encoder-decoder/architecture.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import { t5Spec } from "./encoder-decoder/t5-like.js";
import type { Architecture } from "./types.js";

/** UMT5: mT5 with distances' biases in every layer. Source: transformers, models/umt5/modeling_umt5.py. */
export const umt5: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "umt5",
  answering: { decoder_start_token_id: 0 },
  // transformers 5 scales whatever the file says; the models were made without, and their files say so.
  parseConfig: (raw) =>
    t5Spec(raw, {
      feedForward: "gated-gelu",
      ownBias: true,
      scales: (config) => config.tie_word_embeddings,
    }),
};

import { encoderDecoder } from "./encoder-decoder/architecture.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import { t5Spec } from "./encoder-decoder/t5-like.js";
import type { Architecture } from "./types.js";

/** mT5, a T5 v1.1 of 101 languages. Source: transformers, models/mt5/modeling_mt5.py. */
export const mt5: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "mt5",
  answering: { decoder_start_token_id: 0 },
  parseConfig: (raw) => t5Spec(raw, { feedForward: "gated-gelu", scales: () => false }),
};

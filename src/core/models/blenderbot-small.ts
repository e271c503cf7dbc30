import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** Blenderbot-small. Source: transformers, models/blenderbot_small/modeling_blenderbot_small.py. */
export const blenderbotSmall: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "blenderbot-small",
  answering: { decoder_start_token_id: 1, forced_eos_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, {
      order: "post",
      positions: { kind: "learned", offset: 0 },
      embeddingNorm: "words",
      defaults: {
        encoder_layers: 8,
        decoder_layers: 8,
        encoder_ffn_dim: 2048,
        decoder_ffn_dim: 2048,
        max_position_embeddings: 512,
      },
    }),
};

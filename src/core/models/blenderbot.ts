import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** Blenderbot. Source: transformers, models/blenderbot/modeling_blenderbot.py. */
export const blenderbot: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "blenderbot",
  answering: { decoder_start_token_id: 1, forced_eos_token_id: 2, encoder_no_repeat_ngram_size: 3 },
  parseConfig: (raw) =>
    bartSpec(raw, {
      order: "pre",
      positions: { kind: "learned", offset: 0 },
      defaults: {
        encoder_layers: 2,
        decoder_layers: 24,
        encoder_attention_heads: 32,
        decoder_attention_heads: 32,
        encoder_ffn_dim: 10240,
        decoder_ffn_dim: 10240,
        max_position_embeddings: 128,
      },
    }),
};

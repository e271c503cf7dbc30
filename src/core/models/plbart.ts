import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** PLBART, a BART of program text. Source: transformers, models/plbart/modeling_plbart.py. */
export const plbart: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "plbart",
  answering: { forced_eos_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, {
      order: "post",
      positions: { kind: "learned", offset: 2 },
      embeddingNorm: "sum",
      defaults: {
        encoder_layers: 6,
        decoder_layers: 6,
        encoder_attention_heads: 12,
        decoder_attention_heads: 12,
        encoder_ffn_dim: 3072,
        decoder_ffn_dim: 3072,
        scale_embedding: true,
      },
    }),
};

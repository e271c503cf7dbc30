import { encoderDecoder } from "./encoder-decoder/architecture.js";
import { bartSpec } from "./encoder-decoder/bart-like.js";
import type { EncoderDecoderSpec } from "./encoder-decoder/spec.js";
import type { Architecture } from "./types.js";

/** M2M100 and NLLB. Source: transformers, models/m2m_100/modeling_m2m_100.py. */
export const m2m100: Architecture<EncoderDecoderSpec> = {
  ...encoderDecoder,
  modelType: "m2m_100",
  tasks: ["translation", "text2text-generation", "text-generation"],
  answering: { decoder_start_token_id: 2 },
  parseConfig: (raw) =>
    bartSpec(raw, {
      order: "pre",
      positions: { kind: "fairseq" },
      defaults: { activation_function: "relu", scale_embedding: true },
    }),
};

import { decoder } from "./decoder/architecture.js";
import type { DecoderSpec } from "./decoder/spec.js";
import { gemma2Spec } from "./gemma2.js";
import type { Architecture } from "./types.js";

/** VaultGemma: Gemma 2 without norms of what attention and MLP give. Source: transformers, models/vaultgemma. */
export const vaultgemma: Architecture<DecoderSpec> = {
  ...decoder,
  modelType: "vaultgemma",
  parseConfig: (raw) => gemma2Spec(raw, { outputs: false }),
};

import { HfmsError } from "../errors.js";
import type { Architecture } from "./types.js";

/** Whether config.json names the encoder's class of a model that otherwise writes. */
export function namesEncoder({ architectures }: Record<string, unknown>): boolean {
  return Array.isArray(architectures) && /EncoderModel$/.test(String(architectures[0]));
}

/**
 * A model as an encoder: itself where it is one, else the layers of it that read whole texts. Embedding models are often
 * decoders (qwen3-embedding, e5-mistral) or halves of encoder-decoders (sentence-t5); their repositories have
 * sentence-transformers files that say how to pool. Throws unsupported_model where the layers can't be cut out.
 */
export function asEncoder(architecture: Architecture): Architecture {
  const { buildEncoder, modelType } = architecture;
  if (!/generation/.test(architecture.tasks[0])) return architecture;
  if (!buildEncoder) {
    throw new HfmsError("unsupported_model", `hfms makes no embeddings with ${modelType}`, {
      hint: "it can write text with it, from a repository without modules.json",
    });
  }
  const tasks = ["feature-extraction", "sentence-similarity"];
  return {
    ...architecture,
    tasks,
    headTasks: undefined,
    parseConfig(raw) {
      // What the fields say of a class that writes nothing is right here, and refused elsewhere.
      const whole = { ...raw, architectures: undefined, is_encoder_decoder: undefined };
      const config = architecture.parseConfig(whole);
      // As transformers decides: masking_utils.py, create_causal_mask.
      return raw.is_causal === false ? { ...(config as object), sees: "both" } : config;
    },
    build: buildEncoder,
  };
}

import { HfmsError } from "../errors.js";
import type { Architecture } from "./types.js";

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
      const config = architecture.parseConfig(raw);
      // As transformers decides: masking_utils.py, create_causal_mask.
      return raw.is_causal === false ? { ...(config as object), sees: "both" } : config;
    },
    build: buildEncoder,
  };
}

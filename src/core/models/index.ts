import { HfmsError } from "../errors.js";
import { bert } from "./bert.js";
import { gpt2 } from "./gpt2.js";
import { llama } from "./llama.js";
import type { Architecture } from "./types.js";

/** THE list: every architecture that hfms builds graphs for, by config.json's `model_type`. */
export const architectures = { bert, gpt2, llama } satisfies Record<string, Architecture>;

/** Throws unsupported_model naming the type and listing what is supported. */
export function architectureOf(modelType: unknown): Architecture {
  if (typeof modelType === "string" && Object.hasOwn(architectures, modelType)) {
    return architectures[modelType as keyof typeof architectures] as Architecture;
  }
  const supported = Object.keys(architectures).join(", ");
  throw new HfmsError("unsupported_model", `model_type ${JSON.stringify(modelType)} is not supported`, {
    hint: `hfms builds graphs for: ${supported}; \`hfms discover --runnable\` lists models that work`,
    param: "model",
  });
}

import { HfmsError } from "../errors.js";
import type { Architecture } from "./types.js";

/**
 * THE list: every architecture that hfms builds graphs for, by config.json's `model_type`. Each is loaded when a model
 * needs it; there are too many to read them all at every start.
 */
export const architectures: Record<string, () => Promise<Architecture>> = {
  bert: async () => (await import("./bert.js")).bert as Architecture,
  gpt2: async () => (await import("./gpt2.js")).gpt2 as Architecture,
  llama: async () => (await import("./llama.js")).llama as Architecture,
};

/** Throws unsupported_model naming the type and listing what is supported. */
export async function architectureOf(modelType: unknown): Promise<Architecture> {
  if (typeof modelType === "string" && Object.hasOwn(architectures, modelType)) {
    return architectures[modelType]();
  }
  const supported = Object.keys(architectures).join(", ");
  throw new HfmsError("unsupported_model", `model_type ${JSON.stringify(modelType)} is not supported`, {
    hint: `hfms builds graphs for: ${supported}; \`hfms discover --runnable\` lists models that work`,
    param: "model",
  });
}

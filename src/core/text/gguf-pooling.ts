import { HfmsError } from "../errors.js";
import type { MetadataValue } from "../weights/types.js";

/** By `pooling_type` of the metadata. Source: llama.cpp, include/llama.h, llama_pooling_type. */
const poolings = [undefined, "mean", "cls", "lasttoken"];
const RANK = 4;

/**
 * sentence-transformers files, by name, that say what a GGUF file's metadata says of pooling; undefined where it is of a
 * model that makes no embeddings, or says nothing. llama.cpp scales embeddings to length 1, so these do.
 */
export function ggufSentenceFiles(
  metadata: ReadonlyMap<string, MetadataValue>,
): Record<string, unknown> | undefined {
  const type = metadata.get(`${metadata.get("general.architecture")}.pooling_type`);
  if (type === undefined || Number(type) === 0 || Number(type) === RANK) return undefined;
  const pooling_mode = poolings[Number(type)];
  if (!pooling_mode) {
    throw new HfmsError("unsupported_model", `the GGUF file's metadata asks for pooling_type ${type}`, {
      hint: "hfms knows 1 (mean), 2 (first token) and 3 (last token)",
    });
  }
  const modules = ["Transformer", "Pooling", "Normalize"].map((name, idx) => ({
    ...{ idx, name: String(idx), path: idx === 0 ? "" : `${idx}_${name}` },
    type: `sentence_transformers.models.${name}`,
  }));
  return { "modules.json": modules, "1_Pooling/config.json": { pooling_mode } };
}

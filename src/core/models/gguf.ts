import { HfmsError } from "../errors.js";
import type { MetadataValue } from "../weights/types.js";

/** GGUF metadata in config.json's words. Source of the keys: docs/gguf.md of ggml-org/ggml. */

export function ggufNumber(
  metadata: ReadonlyMap<string, MetadataValue>,
  key: string,
  fallback?: number,
): number {
  const value = metadata.get(key) ?? fallback;
  if (typeof value !== "number" && typeof value !== "bigint") {
    throw new HfmsError("corrupt_file", `the GGUF file's metadata has no number ${key}`);
  }
  return Number(value);
}

/** Rope fields of config.json. A rope_freqs tensor carries llama3's scaling, computed by the converter. */
export function ggufRope(
  metadata: ReadonlyMap<string, MetadataValue>,
  arch: string,
  tensors: ReadonlySet<string>,
): Record<string, unknown> {
  const rope_theta = ggufNumber(metadata, `${arch}.rope.freq_base`, 10_000);
  if (tensors.has("rope_freqs.weight")) {
    return { rope_theta, rope_scaling: { rope_type: "factors", tensor: "rope_freqs.weight" } };
  }
  const type = metadata.get(`${arch}.rope.scaling.type`);
  if (type === undefined || type === "none") return { rope_theta };
  return {
    rope_theta,
    rope_scaling: { rope_type: type, factor: ggufNumber(metadata, `${arch}.rope.scaling.factor`) },
  };
}

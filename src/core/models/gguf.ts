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

/**
 * Rope fields of config.json. The converter keeps what it can't say in metadata as tensors: llama3's scaling, computed,
 * in rope_freqs, and longrope's factors. Where `headDim` is given, the share of it that rotates is one of the fields.
 */
export function ggufRope(
  metadata: ReadonlyMap<string, MetadataValue>,
  arch: string,
  tensors: ReadonlySet<string>,
  headDim?: number,
): Record<string, unknown> {
  const number = (key: string, fallback?: number) => ggufNumber(metadata, `${arch}.rope.${key}`, fallback);
  const optional = (key: string) => metadata.get(`${arch}.rope.${key}`);
  const fields: Record<string, unknown> = { rope_theta: number("freq_base", 10_000) };
  if (headDim !== undefined && metadata.has(`${arch}.rope.dimension_count`))
    fields.partial_rotary_factor = number("dimension_count") / headDim;
  const original = optional("scaling.original_context_length");
  if (tensors.has("rope_freqs.weight"))
    return { ...fields, rope_scaling: { rope_type: "factors", tensor: "rope_freqs.weight" } };
  if (tensors.has("rope_factors_long.weight")) {
    return {
      ...fields,
      rope_scaling: {
        rope_type: "longrope",
        short_factor: "rope_factors_short.weight",
        long_factor: "rope_factors_long.weight",
        attention_factor: optional("scaling.attn_factor"),
        original_max_position_embeddings: original,
      },
    };
  }
  const type = optional("scaling.type");
  if (type === undefined || type === "none") return fields;
  return {
    ...fields,
    rope_scaling: {
      rope_type: type,
      factor: number("scaling.factor"),
      original_max_position_embeddings: original,
      beta_fast: optional("scaling.yarn_beta_fast"),
      beta_slow: optional("scaling.yarn_beta_slow"),
    },
  };
}

import { HfmsError } from "../errors.js";
import type { Weights } from "./needed-files.js";

/** Maps tensor names to files: {"weight_map": {"lm_head.weight": "model-00002-of-00002.safetensors"}}. */
const INDEX = "model.safetensors.index.json";

/** Variants of one checkpoint, `model.fp16.safetensors`, the one to take first: half the bytes lose nothing that counts. */
const variants = ["bf16", "fp16", "fp32"];

/** No whole model of a language: adapters, Mistral's own layout, parts of other models, what training leaves behind. */
const foreign = /^(adapter|consolidated|pytorch_lora|optimizer|scheduler|mm_projector|vae|diffusion)/i;

/**
 * The safetensors that a model is read from, as transformers picks them: model.safetensors, the shards of the index, then
 * the only other file or a variant. undefined where a repository has none. Files in folders (onnx/, openvino/, original/) are
 * other forms of the same model. Throws corrupt_file for an incomplete set, unsupported_model where files don't say which.
 */
export function safetensorsFiles(
  id: string,
  paths: readonly string[],
  index: string | undefined,
): Weights | undefined {
  const has = new Set(paths);
  if (has.has("model.safetensors")) return { format: "safetensors", weights: ["model.safetensors"] };
  const whole = paths.filter((file) => /^[^/]+\.safetensors$/.test(file) && !foreign.test(file)).sort();
  const shards = whole.filter((file) => /-\d+-of-\d+\.safetensors$/.test(file));
  const others = whole.filter((file) => !shards.includes(file));
  const hasGguf = paths.some((file) => /\.gguf$/i.test(file));
  if (has.has(INDEX)) {
    const guessed = shards.length > 0 ? shards : others;
    const named = index === undefined ? guessed : shardsOf(id, index);
    const missing = named.filter((file) => !has.has(file));
    if (named.length > 0 && missing.length === 0) {
      return { format: "safetensors", weights: named, index: INDEX };
    }
    // An index that was copied from the model that this one was made from names nothing that is here.
    const foreignIndex = missing.length === named.length && (others.length > 0 || hasGguf);
    if (!foreignIndex) {
      throw new HfmsError(
        "corrupt_file",
        `${INDEX} of ${id} names ${missing[0] ?? "no file"}, which is not there`,
      );
    }
  }
  if (others.length === 1) return { format: "safetensors", weights: others };
  const variant = variants.map((name) => `model.${name}.safetensors`).find((file) => others.includes(file));
  if (variant) return { format: "safetensors", weights: [variant] };
  if (whole.length === 0 || hasGguf) return undefined;
  const some = whole.slice(0, 4).join(", ");
  throw new HfmsError(
    "unsupported_model",
    shards.length > 0
      ? `${id} has its weights in parts (${some}) and no ${INDEX} that says what is where`
      : `${id} has several safetensors files and none is model.safetensors: ${some}`,
    {
      hint: "take a repository in the transformers layout, or a folder with one of the files and config.json",
    },
  );
}

function shardsOf(id: string, index: string): string[] {
  try {
    const { weight_map: map } = JSON.parse(index) as { weight_map: Record<string, unknown> };
    return [...new Set(Object.values(map).map(String))].sort();
  } catch (error) {
    throw new HfmsError("corrupt_file", `${INDEX} of ${id} is not a safetensors index`, { cause: error });
  }
}

import fs from "node:fs/promises";
import path from "node:path";
import { HfmsError } from "../errors.js";
import type { ModelWeights } from "../graph/model-weights.js";
import { asEncoder, namesEncoder } from "../models/as-encoder.js";
import { architectureOf, modelTypeOfGguf, textConfig } from "../models/index.js";
import { withParts } from "../models/parts.js";
import { checkpointWeights, ggufWeights } from "../models/tensors.js";
import type { Architecture, GraphInfo } from "../models/types.js";
import type { SourceName } from "../requests.js";
import { ggufSentenceFiles } from "../text/gguf-pooling.js";
import { isSentenceModel } from "../text/sentence-transformers.js";
import { readCheckpoint } from "../weights/quantized/checkpoint.js";
import type { QuantizedCheckpoint } from "../weights/quantized/types.js";
import type { WeightFile } from "../weights/types.js";

export interface ConversionSource {
  model: string;
  revision: string;
  source: SourceName;
  /** Folder in Hub layout, or the one that holds the `.gguf` file. */
  directory: string;
  /** The weights: model.safetensors, its index, or a `.gguf` file, relative to the folder. */
  weights: string;
}

/** The weights under PyTorch's names, with the architecture and the configuration that they need. */
export async function readModel(
  source: ConversionSource,
  file: WeightFile,
): Promise<{
  architecture: Architecture;
  config: Record<string, unknown>;
  weights: ModelWeights;
  kind: GraphInfo["kind"];
  /** The file, where a quantized checkpoint has its matrices whole. */
  file: WeightFile | QuantizedCheckpoint;
}> {
  if (source.weights.endsWith(".gguf")) {
    const name = file.metadata.get("general.architecture");
    const named = await architectureOf(modelTypeOfGguf(name));
    const architecture = ggufSentenceFiles(file.metadata) ? asEncoder(named) : named;
    const config = {
      ...architecture.gguf?.config(file.metadata, new Set(file.tensors.keys())),
      ...(file.metadata.get(`${name}.attention.causal`) === false && { is_causal: false }),
    };
    const stored = ggufWeights(file, architecture, config, source.weights);
    const weights = withParts(stored, architecture.parts?.(architecture.parseConfig(config), "gguf") ?? {});
    return { architecture, config, weights, kind: kindOf(architecture), file };
  }
  const whole = await readJson(path.join(source.directory, "config.json"));
  const config = textConfig(whole);
  const named = await architectureOf(config.model_type);
  const architecture =
    namesEncoder(config) || (await isSentenceModel(source.directory)) ? asEncoder(named) : named;
  const checkpoint = await readCheckpoint(file, { ...config, ...whole }, source.weights);
  const stored = checkpointWeights(checkpoint, architecture, source.weights);
  const weights = withParts(
    stored,
    architecture.parts?.(architecture.parseConfig(config), "checkpoint") ?? {},
  );
  return { architecture, config, weights, kind: kindOf(architecture), file: checkpoint };
}

function kindOf(architecture: Architecture): GraphInfo["kind"] {
  if (architecture.tasks.includes("text2text-generation")) return "encoder-decoder";
  return architecture.tasks.includes("text-generation") ? "decoder" : "encoder";
}

export async function readJson(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await fs.readFile(file, "utf8");
  } catch (error) {
    throw new HfmsError("unsupported_model", `${file} can't be read: ${(error as Error).message}`, {
      hint: "a model folder needs config.json, the weights (safetensors) and a tokenizer",
      cause: error,
    });
  }
  try {
    const value = JSON.parse(text);
    if (value === null || typeof value !== "object" || Array.isArray(value))
      throw new Error("it is no object");
    return value;
  } catch (error) {
    throw new HfmsError("corrupt_file", `${file} is no valid JSON: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

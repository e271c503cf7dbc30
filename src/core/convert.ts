import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { type ConcreteDtype, chooseDtype, type DtypeChoice, matrixFormat } from "./dtype.js";
import { fromFileSystem, HfmsError, throwIfAborted } from "./errors.js";
import { GraphBuilder } from "./graph/builder.js";
import type { ModelWeights } from "./graph/model-weights.js";
import { architectureOf } from "./models/index.js";
import { checkpointWeights, ggufWeights } from "./models/tensors.js";
import type { Architecture, GraphInfo } from "./models/types.js";
import type { Dtype, ProgressEvent, SourceName } from "./requests.js";
import { openWeights } from "./weights/index.js";
import type { WeightFile } from "./weights/types.js";

/** Part of the cache key: raise it when the same weights give another graph. */
export const BUILDER_VERSION = 1;

export const GRAPH_FILE = "model.onnx";
export const WEIGHTS_FILE = "weights.bin";
export const MANIFEST_FILE = "hfms.json";

/** What stands beside a built graph, so that loading it needs neither the weights nor the builder. */
export interface GraphManifest {
  builder: number;
  model: string;
  revision: string;
  source: SourceName;
  modelType: string;
  tasks: string[];
  dtype: ConcreteDtype;
  dtypeReason: string;
  parameters: number;
  /** Bytes of the weights file. */
  weightsSize: number;
  info: GraphInfo;
  /** Folder with tokenizer.json and kin; relative to the manifest, or absolute where it is the snapshot. */
  textDirectory: string;
}

export interface ConversionSource {
  model: string;
  revision: string;
  source: SourceName;
  /** Folder in Hub layout, or the one that holds the `.gguf` file. */
  directory: string;
  /** The weights: model.safetensors, its index, or a `.gguf` file, relative to the folder. */
  weights: string;
}

/** Where the graphs of one model live: <root>/<org--name>/<revision>/. */
export function graphsDirectory(root: string, model: string, revision?: string): string {
  const safe = model.replace(/[^A-Za-z0-9._-]+/g, "--").replace(/^[.-]+/, "");
  return path.join(root, "graphs", safe, ...(revision === undefined ? [] : [revision]));
}

export function graphDirectory(
  root: string,
  model: string,
  revision: string,
  weights: string,
  dtype: Dtype,
): string {
  // Two files of one repository (Q4_0 and Q8_0 of a GGUF repository) are two graphs.
  const file = weights.endsWith(".gguf") ? `${path.basename(weights, ".gguf")}.` : "";
  return path.join(graphsDirectory(root, model, revision), `${file}${dtype}.v${BUILDER_VERSION}`);
}

/** The manifest of a graph that is complete, or undefined. */
export async function readManifest(directory: string): Promise<GraphManifest | undefined> {
  try {
    return JSON.parse(await fs.readFile(path.join(directory, MANIFEST_FILE), "utf8")) as GraphManifest;
  } catch {
    return undefined;
  }
}

/**
 * Builds the graph of a model: one tensor after the other passes through memory, the result is written aside and
 * renamed when it is complete. Yields progress in tensors; returns the folder that holds graph, weights and manifest.
 * `auto` is resolved here, because it depends on the weights; its folder is a link in words: `auto` picks are stored
 * under the dtype that was picked.
 */
export async function* convert(
  source: ConversionSource,
  options: { root: string; dtype: Dtype; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, { directory: string; manifest: GraphManifest }> {
  const { root, signal } = options;
  await using file = await openWeights(path.join(source.directory, source.weights));
  const { architecture, config, weights, kind } = await readModel(source, file);
  const choice = chooseDtype(options.dtype, {
    kind,
    parameters: countParameters(file),
    matrixDtypes: matrixDtypes(file),
  });
  const directory = graphDirectory(root, source.model, source.revision, source.weights, choice.dtype);
  const existing = await readManifest(directory);
  if (existing) return { directory, manifest: existing };

  const g = new GraphBuilder();
  const info = architecture.build(g, architecture.parseConfig(config), {
    weights,
    format: matrixFormat(choice.dtype, kind),
  });
  const { streams, size } = g.layout();
  const manifest: GraphManifest = {
    builder: BUILDER_VERSION,
    model: source.model,
    revision: source.revision,
    source: source.source,
    modelType: architecture.modelType,
    tasks: architecture.tasks,
    dtype: choice.dtype,
    dtypeReason: choice.reason,
    parameters: countParameters(file),
    weightsSize: size,
    info,
    textDirectory: source.weights.endsWith(".gguf") ? "." : source.directory,
  };

  const aside = `${directory}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.mkdir(aside, { recursive: true });
    const progress = {
      type: "progress",
      phase: "convert",
      what: source.model,
      total: streams.length,
      unit: "tensors",
    } as const;
    yield { ...progress, done: 0 };
    const out = await fs.open(path.join(aside, WEIGHTS_FILE), "w");
    try {
      await out.truncate(size);
      for (const [i, { stream, offsets }] of streams.entries()) {
        const positions = [...offsets];
        for await (const pieces of stream.chunks()) {
          throwIfAborted(signal);
          for (const [j, piece] of pieces.entries()) {
            await out.write(piece, 0, piece.byteLength, positions[j]);
            positions[j] += piece.byteLength;
          }
        }
        yield { ...progress, done: i + 1 };
      }
    } finally {
      await out.close();
    }
    await fs.writeFile(
      path.join(aside, GRAPH_FILE),
      g.encode(WEIGHTS_FILE, { version: String(BUILDER_VERSION) }),
    );
    if (source.weights.endsWith(".gguf")) await writeText(aside, file);
    await fs.writeFile(path.join(aside, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    await publish(aside, directory);
  } catch (error) {
    await fs.rm(aside, { recursive: true, force: true });
    throw fromFileSystem(error, directory);
  }
  return { directory, manifest };
}

async function readModel(
  source: ConversionSource,
  file: WeightFile,
): Promise<{
  architecture: Architecture;
  config: Record<string, unknown>;
  weights: ModelWeights;
  kind: "decoder" | "encoder";
}> {
  if (source.weights.endsWith(".gguf")) {
    const architecture = architectureOf(file.metadata.get("general.architecture"));
    const config = architecture.gguf?.config(file.metadata, new Set(file.tensors.keys())) ?? {};
    const weights = ggufWeights(file, architecture, config, source.weights);
    return { architecture, config, weights, kind: kindOf(architecture) };
  }
  const config = await readJson(path.join(source.directory, "config.json"));
  const architecture = architectureOf(config.model_type);
  return {
    architecture,
    config,
    weights: checkpointWeights(file, architecture, source.weights),
    kind: kindOf(architecture),
  };
}

function kindOf(architecture: Architecture): "decoder" | "encoder" {
  return architecture.tasks.includes("text-generation") ? "decoder" : "encoder";
}

async function readJson(file: string): Promise<Record<string, unknown>> {
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

function countParameters(file: WeightFile): number {
  let sum = 0;
  for (const { shape } of file.tensors.values()) sum += shape.reduce((product, n) => product * n, 1);
  return sum;
}

/** Number formats of the two-dimensional tensors, embedding tables aside. */
function matrixDtypes(file: WeightFile): Set<string> {
  const dtypes = new Set<string>();
  for (const { name, shape, dtype } of file.tensors.values()) {
    if (shape.length === 2 && !/embd|output\.weight$|embed/.test(name)) dtypes.add(dtype);
  }
  return dtypes;
}

/** A GGUF file carries its tokenizer in its metadata. */
async function writeText(directory: string, file: WeightFile): Promise<void> {
  const { tokenizerFromGguf } = await import("./text/gguf-tokenizer.js");
  const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(file.metadata);
  await fs.writeFile(path.join(directory, "tokenizer.json"), JSON.stringify(tokenizerJson));
  await fs.writeFile(path.join(directory, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
}

/** Puts a complete folder in place. Another process may have been first: its work is as good. */
async function publish(aside: string, directory: string): Promise<void> {
  try {
    await fs.rename(aside, directory);
  } catch (error) {
    if (!(await readManifest(directory))) throw error;
    await fs.rm(aside, { recursive: true, force: true });
  }
}

export type { DtypeChoice };

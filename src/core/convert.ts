import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { chooseDtype, matrixFormat } from "./dtype.js";
import { fromFileSystem, HfmsError, throwIfAborted } from "./errors.js";
import { GraphBuilder } from "./graph/builder.js";
import type { ModelWeights } from "./graph/model-weights.js";
import {
  BUILDER_VERSION,
  GRAPH_FILE,
  type GraphManifest,
  graphDirectory,
  MANIFEST_FILE,
  PREFILL_FILE,
  publishGraph,
  readManifest,
  removeLeftovers,
  WEIGHTS_FILE,
  writeAutoChoice,
} from "./graph-store.js";
import { readAnswering, readTasks } from "./models/encoder-decoder/answering.js";
import { architectureOf, modelTypeOfGguf, textConfig } from "./models/index.js";
import { withParts } from "./models/parts.js";
import { checkShapes } from "./models/shapes.js";
import { checkpointWeights, ggufWeights } from "./models/tensors.js";
import type { Architecture, GraphInfo } from "./models/types.js";
import type { Dtype, ProgressEvent, SamplingParams, SourceName } from "./requests.js";
import { openWeights } from "./weights/index.js";
import { readCheckpoint } from "./weights/quantized/checkpoint.js";
import type { QuantizedCheckpoint } from "./weights/quantized/types.js";
import type { WeightFile } from "./weights/types.js";

export interface ConversionSource {
  model: string;
  revision: string;
  source: SourceName;
  /** Folder in Hub layout, or the one that holds the `.gguf` file. */
  directory: string;
  /** The weights: model.safetensors, its index, or a `.gguf` file, relative to the folder. */
  weights: string;
}

/**
 * Builds the graph of a model: one tensor after the other passes through memory, the result is written aside and
 * renamed when it is complete. Yields progress in tensors; returns the folder that holds graph, weights and manifest.
 * `auto` is resolved here, because it depends on the weights; the graph is stored under the dtype that was picked.
 */
export async function* convert(
  source: ConversionSource,
  options: { root: string; dtype: Dtype; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, { directory: string; manifest: GraphManifest }> {
  const { root, signal } = options;
  await using opened = await openWeights(path.join(source.directory, source.weights));
  const { architecture, config, weights, kind, file } = await readModel(source, opened);
  const format = kind === "encoder" ? kind : "decoder";
  const choice = chooseDtype(options.dtype, {
    kind: format,
    parameters: countParameters(file),
    matrixDtypes: matrixDtypes(file),
    blockBits: blockBits(file),
  });
  const directory = graphDirectory(root, source.model, source.revision, source.weights, choice.dtype);
  const existing = await readManifest(directory);
  if (existing) {
    if (options.dtype === "auto") await writeAutoChoice(root, existing, source.weights);
    return { directory, manifest: existing };
  }

  const g = new GraphBuilder();
  const settings = architecture.parseConfig(config);
  checkShapes(weights, architecture.shapes(settings), source.weights);
  const context = { weights, format: matrixFormat(choice.dtype, format) };
  // A batch of texts has so many tokens that turning the matrices into floats costs nothing beside the products.
  const compute = kind === "encoder" ? "floats" : "blocks";
  const info = architecture.build(g, settings, { ...context, compute });
  const prefill = kind === "decoder" && choice.dtype === "int8" ? new GraphBuilder() : undefined;
  // It declares the same weights in the same order, so their places in the file are the same.
  if (prefill) architecture.build(prefill, settings, { ...context, compute: "floats" });
  const manifest: GraphManifest = {
    builder: BUILDER_VERSION,
    model: source.model,
    revision: source.revision,
    source: source.source,
    modelType: architecture.modelType,
    tasks: [...(architecture.headTasks?.(config, weights) ?? []), ...architecture.tasks],
    dtype: choice.dtype,
    dtypeReason: choice.reason,
    parameters: countParameters(file),
    weightsSize: g.layout().size,
    info,
    prefill: prefill !== undefined,
    ...(await readGeneration(source, file, config)),
    ...(kind === "encoder-decoder" && { answering: await answeringOf(source, architecture, config) }),
    ownText: source.weights.endsWith(".gguf"),
  };

  const aside = `${directory}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.mkdir(aside, { recursive: true });
    yield* writeWeights(g, path.join(aside, WEIGHTS_FILE), source.model, signal);
    const metadata = { version: String(BUILDER_VERSION) };
    await fs.writeFile(path.join(aside, GRAPH_FILE), g.encode(WEIGHTS_FILE, metadata));
    if (prefill) await fs.writeFile(path.join(aside, PREFILL_FILE), prefill.encode(WEIGHTS_FILE, metadata));
    for (const [name, graph] of g.graphs)
      await fs.writeFile(path.join(aside, `${name}.onnx`), graph.encode(WEIGHTS_FILE, metadata));
    if (manifest.ownText) await writeText(aside, file);
    await fs.writeFile(path.join(aside, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    throwIfAborted(signal);
    await publishGraph(aside, directory);
    await removeLeftovers(directory);
    if (options.dtype === "auto") await writeAutoChoice(root, manifest, source.weights);
  } catch (error) {
    throw fromFileSystem(error, directory);
  } finally {
    // Also when the consumer left in the middle, where nothing is thrown; a published folder is not there any more.
    await fs.rm(aside, { recursive: true, force: true });
  }
  return { directory, manifest };
}

/** Streams every tensor to its place in the file; progress is in tensors. */
async function* writeWeights(
  g: GraphBuilder,
  file: string,
  model: string,
  signal?: AbortSignal,
): AsyncGenerator<ProgressEvent> {
  const { streams, size } = g.layout();
  const progress = {
    type: "progress",
    phase: "convert",
    what: model,
    total: streams.length,
    unit: "tensors",
  } as const;
  yield { ...progress, done: 0 };
  await using out = await fs.open(file, "w");
  await out.truncate(size);
  for (const [i, { stream, offsets }] of streams.entries()) {
    const positions = [...offsets];
    for await (const pieces of stream.chunks()) {
      throwIfAborted(signal);
      for (const [j, piece] of pieces.entries()) {
        await writeWhole(out, piece, positions[j]);
        positions[j] += piece.byteLength;
      }
    }
    yield { ...progress, done: i + 1 };
  }
}

/** A disk that is nearly full takes a part of the bytes first; only the next write fails. */
async function writeWhole(out: fs.FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await out.write(bytes, done, bytes.byteLength - done, position + done);
    done += bytesWritten;
  }
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
    const architecture = await architectureOf(modelTypeOfGguf(file.metadata.get("general.architecture")));
    const config = architecture.gguf?.config(file.metadata, new Set(file.tensors.keys())) ?? {};
    const stored = ggufWeights(file, architecture, config, source.weights);
    const weights = withParts(stored, architecture.parts?.(architecture.parseConfig(config), "gguf") ?? {});
    return { architecture, config, weights, kind: kindOf(architecture), file };
  }
  const whole = await readJson(path.join(source.directory, "config.json"));
  const config = textConfig(whole);
  const architecture = await architectureOf(config.model_type);
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

/** Stop tokens and sampling, out of generation_config.json, config.json or the GGUF metadata. */
async function readGeneration(
  source: ConversionSource,
  file: WeightFile,
  config: Record<string, unknown>,
): Promise<Pick<GraphManifest, "stopTokens" | "sampling">> {
  if (source.weights.endsWith(".gguf")) {
    const ids = ["eos", "eot", "eom"].map((name) => file.metadata.get(`tokenizer.ggml.${name}_token_id`));
    return { stopTokens: tokenIds(ids), sampling: {} };
  }
  const generation = (await generationConfig(source)) ?? {};
  const number = (key: string) =>
    typeof generation[key] === "number" ? (generation[key] as number) : undefined;
  const sampling: SamplingParams =
    generation.do_sample === true
      ? {
          temperature: number("temperature") ?? 1,
          topK: number("top_k"),
          topP: number("top_p"),
          minP: number("min_p"),
          repetitionPenalty: number("repetition_penalty"),
        }
      : { repetitionPenalty: number("repetition_penalty") };
  const stop = generation.eos_token_id ?? config.eos_token_id;
  return { stopTokens: tokenIds(Array.isArray(stop) ? stop : [stop]), sampling };
}

/** generation_config.json, where there is one. */
async function generationConfig({
  directory,
}: ConversionSource): Promise<Record<string, unknown> | undefined> {
  const file = path.join(directory, "generation_config.json");
  const exists = await fs.access(file).then(
    () => true,
    () => false,
  );
  return exists ? readJson(file) : undefined;
}

async function answeringOf(
  source: ConversionSource,
  architecture: Architecture,
  config: Record<string, unknown>,
): Promise<GraphManifest["answering"]> {
  const generation = await generationConfig(source);
  const answering = readAnswering(generation ?? { ...architecture.answering, ...config });
  return { ...answering, tasks: readTasks(config) };
}

function tokenIds(values: unknown[]): number[] {
  const ids = values.filter((value) => typeof value === "number" || typeof value === "bigint").map(Number);
  return [...new Set(ids)];
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

/** Bits of the blocks that all quantized matrices of the file have. */
function blockBits(file: WeightFile | QuantizedCheckpoint): 4 | 8 | undefined {
  if (!("blocks" in file) || file.blocks.size < file.matrices.size) return undefined;
  const bits = new Set([...file.blocks.values()].map((layout) => layout.bits));
  return bits.size === 1 ? [...bits][0] : undefined;
}

/** A GGUF file carries its tokenizer in its metadata. */
async function writeText(directory: string, file: WeightFile): Promise<void> {
  const { tokenizerFromGguf } = await import("./text/gguf-tokenizer.js");
  const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(file.metadata);
  await fs.writeFile(path.join(directory, "tokenizer.json"), JSON.stringify(tokenizerJson));
  await fs.writeFile(path.join(directory, "tokenizer_config.json"), JSON.stringify(tokenizerConfig));
}

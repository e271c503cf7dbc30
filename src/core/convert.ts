import fs from "node:fs/promises";
import path from "node:path";
import { answeringOf, readGeneration } from "./convert/generation.js";
import { hasJournal } from "./convert/journal.js";
import { type GraphPlan, planGraph } from "./convert/plan.js";
import type { ConversionSource } from "./convert/source.js";
import { usualSizes, type WorkSizes, writeWeights } from "./convert/write-weights.js";
import { fromFileSystem, throwIfAborted } from "./errors.js";
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
import { takeLock } from "./hub/lock.js";
import type { GraphInfo } from "./models/types.js";
import type { Dtype, ProgressEvent } from "./requests.js";
import { ggufSentenceFiles } from "./text/gguf-pooling.js";
import type { TokenizerFiles } from "./text/tokenizer-files.js";
import { openWeights } from "./weights/index.js";
import type { WeightFile } from "./weights/types.js";

export { type ConversionSource, readModel } from "./convert/source.js";

export interface ConversionOptions {
  root: string;
  dtype: Dtype;
  /** That share the work; the processors that this process may use by default. */
  threads?: number;
  /** Smaller ones than usual, for tests. */
  sizes?: WorkSizes;
  signal?: AbortSignal;
}

/** A graph on the disk. */
interface Built {
  directory: string;
  manifest: GraphManifest;
}

/**
 * Builds the graph of a model: the weights pass through memory in pieces, the result is written aside and renamed when
 * it is complete. What a conversion that was killed left of the same files is gone on with; while another process
 * builds the same graph, this one waits for it. Yields progress in bytes of the graph's weights; returns the folder that
 * holds graph, weights and manifest. `auto` is resolved here, because it depends on the weights; the graph is stored
 * under the dtype that was picked.
 */
export async function* convert(
  source: ConversionSource,
  options: ConversionOptions,
): AsyncGenerator<ProgressEvent, Built> {
  const { root, dtype, signal } = options;
  await using file = await openWeights(path.join(source.directory, source.weights));
  const plan = await planGraph(source, file, dtype);
  const directory = graphDirectory(root, source.model, source.revision, source.weights, plan.choice.dtype);
  let manifest = await readManifest(directory);
  if (!manifest) {
    yield { type: "progress", phase: "convert", what: source.model, done: 0, unit: "bytes" };
    await using _lock = await takeLock(`${directory}.lock`, {
      signal,
      doneByOther: async () => (await readManifest(directory)) !== undefined,
    });
    // Another one may have built it in the meantime.
    manifest = (await readManifest(directory)) ?? (yield* build(source, plan, directory, options));
  }
  if (dtype === "auto") await writeAutoChoice(root, manifest, source.weights, plan.choice);
  return { directory, manifest: { ...manifest, dtypeReason: plan.choice.reason } };
}

/** Writes everything aside and puts it in place. */
async function* build(
  source: ConversionSource,
  plan: GraphPlan,
  directory: string,
  { sizes = usualSizes, threads, signal }: ConversionOptions,
): AsyncGenerator<ProgressEvent, GraphManifest> {
  const { g, info, prefill } = plan.build();
  const layout = g.layout();
  const manifest = await describe(source, plan, { info, prefill: prefill !== undefined, size: layout.size });
  // Before the weights: what can't be read should not cost minutes.
  const text = manifest.ownText ? await readText(source, plan.file) : undefined;
  const aside = `${directory}.tmp`;
  let failed = false;
  try {
    const work = { source, dtype: plan.choice.dtype, layout, folder: aside, sizes, threads, signal };
    for await (const { done, total } of writeWeights(work))
      yield { type: "progress", phase: "convert", what: source.model, done, total, unit: "bytes" };
    const metadata = { version: String(BUILDER_VERSION) };
    await fs.writeFile(path.join(aside, GRAPH_FILE), g.encode(WEIGHTS_FILE, metadata));
    if (prefill) await fs.writeFile(path.join(aside, PREFILL_FILE), prefill.encode(WEIGHTS_FILE, metadata));
    for (const [name, graph] of g.graphs)
      await fs.writeFile(path.join(aside, `${name}.onnx`), graph.encode(WEIGHTS_FILE, metadata));
    if (text) await writeText(aside, text, ggufSentenceFiles(plan.file.metadata));
    await fs.writeFile(path.join(aside, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    throwIfAborted(signal);
    await publishGraph(aside, directory);
    await removeLeftovers(directory);
  } catch (error) {
    failed = !signal?.aborted;
    throw fromFileSystem(error, directory);
  } finally {
    // Also when the consumer left in the middle, where nothing is thrown. What was stopped can be gone on with.
    if (failed || !(await hasJournal(aside))) await fs.rm(aside, { recursive: true, force: true });
  }
  return manifest;
}

async function describe(
  source: ConversionSource,
  { architecture, config, weights, kind, file, choice, parameters }: GraphPlan,
  { info, prefill, size }: { info: GraphInfo; prefill: boolean; size: number },
): Promise<GraphManifest> {
  return {
    builder: BUILDER_VERSION,
    model: source.model,
    revision: source.revision,
    source: source.source,
    modelType: architecture.modelType,
    tasks: [...(architecture.headTasks?.(config, weights) ?? []), ...architecture.tasks],
    dtype: choice.dtype,
    dtypeReason: choice.reason,
    parameters,
    weightsSize: size,
    info,
    prefill,
    ...(await readGeneration(source, file, config)),
    ...(kind === "encoder-decoder" && { answering: await answeringOf(source, architecture, config) }),
    ownText: source.weights.endsWith(".gguf"),
  };
}

/** A GGUF file carries its tokenizer in its metadata. */
async function readText(source: ConversionSource, file: WeightFile): Promise<TokenizerFiles> {
  const { tokenizerFromGguf } = await import("./text/gguf-tokenizer.js");
  return tokenizerFromGguf(file.metadata, source.weights);
}

async function writeText(
  directory: string,
  { tokenizerJson, tokenizerConfig }: TokenizerFiles,
  sentenceFiles: Record<string, unknown> = {},
): Promise<void> {
  const files = {
    "tokenizer.json": tokenizerJson,
    "tokenizer_config.json": tokenizerConfig,
    ...sentenceFiles,
  };
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    await fs.mkdir(path.dirname(file), { recursive: true });
    await fs.writeFile(file, JSON.stringify(content));
  }
}

import { randomBytes } from "node:crypto";
import fs from "node:fs/promises";
import path from "node:path";
import { type ConversionSource, readModel } from "../convert.js";
import { matrixFormat } from "../dtype.js";
import { fromFileSystem, HfmsError, throwIfAborted } from "../errors.js";
import { GraphBuilder } from "../graph/builder.js";
import type { CacheScales, Int8Cache } from "../graph/model-weights.js";
import {
  BUILDER_VERSION,
  GRAPH_FILE,
  type GraphManifest,
  graphDirectory,
  MANIFEST_FILE,
  PREFILL_FILE,
  publishGraph,
  removeLeftovers,
  TOKENIZER_FILES,
  WEIGHTS_FILE,
} from "../graph-store.js";
import type { Architecture, DecoderInfo } from "../models/types.js";
import type { ProgressEvent } from "../requests.js";
import { Decoder } from "../runtime/decoder.js";
import { floatsFit } from "../runtime/prefill-policy.js";
import { loadTokenizer } from "../text/tokenizer.js";
import { openWeights } from "../weights/index.js";
import { CALIBRATION_TEXT } from "./calibration-text.js";
import { cacheScales } from "./scales.js";

/**
 * Builds a decoder's graphs with a cache of int8 beside one that stands on the disk: runs a text through that one to
 * see how large keys and values get, and writes graphs that round them, over the same weights (a hard link where the
 * file system has them). Throws unsupported_dtype for a model without a cache.
 */
export async function* buildInt8Cache(
  source: ConversionSource,
  base: {
    directory: string;
    manifest: GraphManifest;
    /** Folder of the tokenizer. */
    textDirectory: string;
  },
  options: { root: string; threads?: number; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, { directory: string; manifest: GraphManifest }> {
  const { root, signal } = options;
  const { model, dtype } = base.manifest;
  if (base.manifest.info.kind !== "decoder") {
    throw new HfmsError("unsupported_dtype", `${model} keeps no keys and values, in int8 or otherwise`, {
      hint: "leave the cache's dtype out",
      param: "kvCacheDtype",
    });
  }
  yield { type: "progress", phase: "convert", what: `${model}, int8 cache`, done: 0, unit: "tensors" };
  await using file = await openWeights(path.join(source.directory, source.weights));
  const { architecture, config, weights } = await readModel(source, file);
  const settings = architecture.parseConfig(config);
  const context = { weights, format: matrixFormat(dtype, "decoder") };
  const scales = await measure(base, options);
  throwIfAborted(signal);
  const build = (compute: Int8Cache["attention"]) =>
    graphOf(architecture, settings, { ...context, compute, int8Cache: { scales, attention: compute } });
  const step = build("blocks");
  // Only where there is one anyway: a second copy of packed matrices takes more memory than the cache saves.
  const prefill = base.manifest.prefill ? build("floats") : undefined;
  const manifest: GraphManifest = {
    ...base.manifest,
    kvCacheDtype: "int8",
    info: { ...step.info, cacheType: "int8" },
  };
  const directory = graphDirectory(root, model, source.revision, source.weights, dtype, "int8");
  const aside = `${directory}.${process.pid}-${randomBytes(4).toString("hex")}.tmp`;
  try {
    await fs.mkdir(aside, { recursive: true });
    await shareFile(path.join(base.directory, WEIGHTS_FILE), path.join(aside, WEIGHTS_FILE));
    const metadata = { version: String(BUILDER_VERSION) };
    await fs.writeFile(path.join(aside, GRAPH_FILE), step.g.encode(WEIGHTS_FILE, metadata));
    if (prefill) await fs.writeFile(path.join(aside, PREFILL_FILE), prefill.g.encode(WEIGHTS_FILE, metadata));
    for (const name of manifest.ownText ? TOKENIZER_FILES : [])
      await fs.copyFile(path.join(base.directory, name), path.join(aside, name));
    await fs.writeFile(path.join(aside, MANIFEST_FILE), `${JSON.stringify(manifest, null, 2)}\n`);
    throwIfAborted(signal);
    await publishGraph(aside, directory);
    await removeLeftovers(directory);
  } catch (error) {
    throw fromFileSystem(error, directory);
  } finally {
    await fs.rm(aside, { recursive: true, force: true });
  }
  return { directory, manifest };
}

/** How far a step of int8 reaches for each key and value, as the calibration's text has them. */
async function measure(
  {
    directory,
    manifest,
    textDirectory,
  }: { directory: string; manifest: GraphManifest; textDirectory: string },
  { threads, signal }: { threads?: number; signal?: AbortSignal },
): Promise<CacheScales[]> {
  const info = manifest.info as DecoderInfo;
  const tokenizer = await loadTokenizer(textDirectory, signal);
  const tokens = tokenizer.encode(CALIBRATION_TEXT).slice(0, info.contextLength);
  const step = path.join(directory, GRAPH_FILE);
  const prefill = manifest.prefill ? path.join(directory, PREFILL_FILE) : undefined;
  const graphs = { step, prefill, usesPrefill: () => floatsFit(manifest.parameters) };
  await using decoder = await Decoder.load(graphs, info, { threads });
  await using lane = await decoder.createLane(decoder.graphFor(tokens.length));
  const cache = decoder.createCache();
  cache.reserve(tokens.length, 0);
  await lane.run({ cache, rows: [{ tokens, past: 0 }], logits: "last", signal });
  return cacheScales(cache, tokens.length, info);
}

function graphOf<C>(
  architecture: Architecture<C>,
  settings: C,
  context: Parameters<Architecture<C>["build"]>[2],
): { g: GraphBuilder; info: DecoderInfo } {
  const g = new GraphBuilder();
  return { g, info: architecture.build(g, settings, context) as DecoderInfo };
}

/** The same bytes under another name; a copy where the file system can't. */
async function shareFile(from: string, to: string): Promise<void> {
  try {
    await fs.link(from, to);
  } catch {
    await fs.copyFile(from, to, fs.constants.COPYFILE_FICLONE);
  }
}

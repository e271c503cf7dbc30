import fs from "node:fs/promises";
import path from "node:path";
import type { ConcreteDtype, DtypeChoice } from "./dtype.js";
import type { Answering, AnsweringTask } from "./models/encoder-decoder/answering.js";
import type { GraphInfo } from "./models/types.js";
import type { Dtype, SamplingParams, SourceName } from "./requests.js";

/** Part of the cache key: raise it when the same weights give another graph. */
export const BUILDER_VERSION = 8;

export const GRAPH_FILE = "model.onnx";
/** The same model for prompts, over the same weights; only beside int8 decoders. */
export const PREFILL_FILE = "prefill.onnx";
/** An encoder beside its decoder, over the same weights. */
export const ENCODER_FILE = "encoder.onnx";
export const WEIGHTS_FILE = "weights.bin";
export const MANIFEST_FILE = "hfms.json";
/** The tokenizer of a GGUF file, made from its metadata. */
export const TOKENIZER_FILES = ["tokenizer.json", "tokenizer_config.json"] as const;

/** What stands beside a built graph, so that loading it needs neither the weights nor the builder. */
export interface GraphManifest {
  builder: number;
  model: string;
  revision: string;
  source: SourceName;
  modelType: string;
  tasks: string[];
  dtype: ConcreteDtype;
  /** Number format of keys and values (decoders); absent: fp32. */
  kvCacheDtype?: "int8";
  dtypeReason: string;
  parameters: number;
  /** Bytes of the weights file. */
  weightsSize: number;
  info: GraphInfo;
  /** There is a graph for prompts (PREFILL_FILE). */
  prefill: boolean;
  /** Ids that end an answer (decoders). */
  stopTokens: number[];
  /** Sampling that the model's authors chose (generation_config.json), used where a request says nothing. */
  sampling: SamplingParams;
  /** How an encoder-decoder answers, and what it does otherwise for the tasks that its authors name. */
  answering?: Answering & { tasks: Record<string, AnsweringTask> };
  /** tokenizer.json and kin stand beside the graph (out of a GGUF file) and not in the model's own folder. */
  ownText: boolean;
}

/** Where the graphs of one model live: <root>/<org--name>/<revision>/; a path begins with --, which no Hub id does. */
export function graphsDirectory(root: string, model: string, revision?: string): string {
  const safe = model.replace(/[^A-Za-z0-9._-]+/g, "--").replace(/^\.+/, "");
  return path.join(root, "graphs", safe, ...(revision === undefined ? [] : [revision]));
}

export function graphDirectory(
  root: string,
  model: string,
  revision: string,
  weights: string,
  dtype: Dtype,
  kvCacheDtype: "fp32" | "int8" = "fp32",
): string {
  // Two files of one repository (Q4_0 and Q8_0 of a GGUF repository) are two graphs.
  const file = weights.endsWith(".gguf") ? `${path.basename(weights, ".gguf")}.` : "";
  const cache = kvCacheDtype === "fp32" ? "" : `.kv-${kvCacheDtype}`;
  return path.join(graphsDirectory(root, model, revision), `${file}${dtype}${cache}.v${BUILDER_VERSION}`);
}

/** The manifest of a graph that is complete, or undefined. */
export async function readManifest(directory: string): Promise<GraphManifest | undefined> {
  try {
    const manifest = JSON.parse(
      await fs.readFile(path.join(directory, MANIFEST_FILE), "utf8"),
    ) as GraphManifest;
    const weights = await fs.stat(path.join(directory, WEIGHTS_FILE));
    return manifest.builder === BUILDER_VERSION && weights.size === manifest.weightsSize
      ? manifest
      : undefined;
  } catch {
    return undefined;
  }
}

/** Puts a complete folder in place. Another process may have been first: its work is as good. */
export async function publishGraph(aside: string, directory: string): Promise<void> {
  try {
    await fs.rename(aside, directory);
  } catch (error) {
    if (await readManifest(directory)) return;
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EPERM") throw error;
    // What stands there is damaged, or it would have been used.
    await fs.rm(directory, { recursive: true, force: true });
    await fs.rename(aside, directory);
  }
}

/** What `auto` picked for these weights, so that a warm start need not open them. */
export async function readAutoChoice(
  root: string,
  model: string,
  revision: string,
  weights: string,
): Promise<DtypeChoice | undefined> {
  const file = `${graphDirectory(root, model, revision, weights, "auto")}.txt`;
  const text = await fs.readFile(file, "utf8").catch(() => "");
  const [dtype, reason] = text.split("\n");
  return reason ? { dtype: dtype as ConcreteDtype, reason } : undefined;
}

export async function writeAutoChoice(
  root: string,
  { model, revision }: GraphManifest,
  weights: string,
  { dtype, reason }: DtypeChoice,
): Promise<void> {
  const file = `${graphDirectory(root, model, revision, weights, "auto")}.txt`;
  await fs.writeFile(file, `${dtype}\n${reason}\n`);
}

/** Notes that a graph is used now. Access times don't say it: most disks write them once a day or never. */
export async function markUsed(directory: string): Promise<void> {
  const now = new Date();
  // A cache that can only be read still runs models.
  await fs.utimes(path.join(directory, MANIFEST_FILE), now, now).catch(() => {});
}

/** A built graph on the disk. */
export interface StoredGraph {
  manifest: GraphManifest;
  directory: string;
  /** Bytes. */
  size: number;
  /** ISO 8601: when it was built or last loaded. */
  lastUsed: string;
}

/** Every complete graph below the root, or those of one model. */
export async function listGraphs(root: string, model?: string): Promise<StoredGraph[]> {
  const models =
    model === undefined ? await folders(path.join(root, "graphs")) : [graphsDirectory(root, model)];
  const graphs: StoredGraph[] = [];
  for (const modelFolder of models) {
    for (const revision of await folders(modelFolder)) {
      for (const directory of await folders(revision)) {
        if (directory.endsWith(".tmp")) continue;
        const manifest = await readManifest(directory);
        if (!manifest) continue;
        const files = await fs.readdir(directory);
        const stats = await Promise.all(files.map((file) => fs.stat(path.join(directory, file))));
        // Weights that are another graph's too count there.
        const size = stats.reduce((sum, stat, i) => {
          const shared = manifest.kvCacheDtype && files[i] === WEIGHTS_FILE && stat.nlink > 1;
          return shared ? sum : sum + stat.size;
        }, 0);
        const lastUsed = stats[files.indexOf(MANIFEST_FILE)].mtime.toISOString();
        graphs.push({ manifest, directory, size, lastUsed });
      }
    }
  }
  return graphs;
}

/** Takes the graphs of a model from the disk; returns their bytes. */
export async function removeGraphs(
  root: string,
  model: string,
): Promise<{ bytes: number; directories: string[] }> {
  const directory = graphsDirectory(root, model);
  const graphs = await listGraphs(root, model);
  await fs.rm(directory, { recursive: true, force: true });
  return {
    bytes: graphs.reduce((sum, graph) => sum + graph.size, 0),
    directories: graphs.length > 0 ? [directory] : [],
  };
}

/**
 * Takes away what nobody will use again beside a graph that was just built: the same graph by an older builder, finished
 * or not, and what killed processes left half done.
 */
export async function removeLeftovers(directory: string): Promise<void> {
  const [name] = path.basename(directory).split(/\.v\d+$/);
  for (const sibling of await folders(path.dirname(directory))) {
    const [, graph, builder, pid] =
      /^(.+)\.v(\d+)(?:\.(?:(\d+)-[0-9a-f]+\.)?(?:tmp|lock))?$/.exec(path.basename(sibling)) ?? [];
    if (graph !== name) continue;
    const abandoned = pid === undefined ? Number(builder) < BUILDER_VERSION : !isRunning(Number(pid));
    if (abandoned) await fs.rm(sibling, { recursive: true, force: true });
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Somebody else's process is one, too.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

async function folders(directory: string): Promise<string[]> {
  const entries = await fs.readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => path.join(directory, entry.name));
}

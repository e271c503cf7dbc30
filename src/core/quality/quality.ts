import path from "node:path";
import { throwIfAborted } from "../errors.js";
import { GRAPH_FILE } from "../graph-store.js";
import type { BuiltModel } from "../model-pool.js";
import type { DriftReport, ProgressEvent } from "../requests.js";
import { Decoder } from "../runtime/decoder.js";
import { Encoder } from "../runtime/encoder.js";
import { sentences } from "../text/english.js";
import { loadTokenizer } from "../text/tokenizer.js";
import { cosineOf, DecoderDrift } from "./decoder-drift.js";

/** Positions that are compared: enough for a perplexity, and a matter of seconds for a small model. */
const POSITIONS = 500;
/** Positions whose logits are in memory at a time. */
const PIECE = 32;

/**
 * How far a built graph moves from the same model in fp32, on a fixed English text. A decoder goes through the graph of
 * single steps, whose kernels round most; what it has read at each position is the text, not its own words.
 */
export async function* drift(
  reference: BuiltModel,
  other: BuiltModel,
  options: { threads?: number; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, DriftReport> {
  const { manifest } = reference;
  const textDirectory = manifest.ownText ? reference.directory : reference.fetched.directory;
  const tokenizer = await loadTokenizer(textDirectory, options.signal);
  const { dtype, weightsSize } = other.manifest;
  const facts = { dtype, weightsSize };
  const { info } = manifest;
  if (info.kind === "encoder") {
    const rows = sentences.map((text) => tokenizer.encode(text).slice(0, info.contextLength));
    return { ...facts, ...(yield* encoderDrift(reference, other, rows, options)) };
  }
  const tokens = tokenizer.encode(sentences.join(" ")).slice(0, Math.min(POSITIONS + 1, info.contextLength));
  return { ...facts, ...(yield* decoderDrift(reference, other, tokens, options)) };
}

async function* decoderDrift(
  reference: BuiltModel,
  other: BuiltModel,
  tokens: number[],
  { threads, signal }: { threads?: number; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, Omit<DriftReport, "dtype" | "weightsSize">> {
  await using stack = new AsyncDisposableStack();
  const open = async ({ directory, manifest }: BuiltModel) => {
    const { info } = manifest;
    if (info.kind !== "decoder") throw new Error(`${info.kind} is no decoder`);
    const graphs = { step: path.join(directory, GRAPH_FILE), usesPrefill: () => false };
    const decoder = stack.use(await Decoder.load(graphs, info, { threads }));
    const lane = stack.use(await decoder.createLane("step"));
    const cache = decoder.createCache();
    cache.reserve(tokens.length, 0);
    return async (from: number, count: number) => {
      const rows = [{ tokens: tokens.slice(from, from + count), past: from }];
      return (await lane.run({ cache, rows, logits: "all", signal })).data;
    };
  };
  const [exact, rounded] = [await open(reference), await open(other)];
  const { vocabularySize } = reference.manifest.info;
  const found = new DecoderDrift(tokens, vocabularySize);
  const progress = progressOf(reference, other, tokens.length);
  for (let from = 0; from < tokens.length; ) {
    yield { ...progress, done: from };
    throwIfAborted(signal);
    // No piece is a single token: that one would go through other kernels.
    const left = tokens.length - from;
    const count = left - PIECE === 1 ? PIECE - 1 : Math.min(PIECE, left);
    found.add(from, await exact(from, count), await rounded(from, count));
    from += count;
  }
  return found.report();
}

async function* encoderDrift(
  reference: BuiltModel,
  other: BuiltModel,
  rows: number[][],
  { threads, signal }: { threads?: number; signal?: AbortSignal },
): AsyncGenerator<ProgressEvent, Omit<DriftReport, "dtype" | "weightsSize">> {
  await using stack = new AsyncDisposableStack();
  const open = async ({ directory, manifest }: BuiltModel) => {
    const { info } = manifest;
    if (info.kind !== "encoder") throw new Error(`${info.kind} is no encoder`);
    return stack.use(await Encoder.load(path.join(directory, GRAPH_FILE), info, { threads }));
  };
  const [exact, rounded] = [await open(reference), await open(other)];
  const cosines: number[] = [];
  const progress = progressOf(reference, other, rows.length);
  for (const [i, row] of rows.entries()) {
    yield { ...progress, done: i };
    throwIfAborted(signal);
    const [a, b] = [await exact.run([row], signal), await rounded.run([row], signal)];
    cosines.push(cosineOf(meanOf(a, row.length), meanOf(b, row.length)));
  }
  const cosine = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
  return { positions: rows.length, cosine, leastCosine: Math.min(...cosines) };
}

/** The mean of the states [1, longest, hidden] of one row. */
function meanOf(
  { data, shape }: { data: Float32Array; shape: readonly number[] },
  length: number,
): Float32Array {
  const hidden = shape[2];
  const mean = new Float32Array(hidden);
  for (let i = 0; i < length * hidden; i++) mean[i % hidden] += data[i] / length;
  return mean;
}

function progressOf({ manifest: { model } }: BuiltModel, { manifest: { dtype } }: BuiltModel, total: number) {
  return {
    type: "progress",
    phase: "measure",
    what: `${model}, ${dtype}`,
    total,
    unit: "positions",
  } as const;
}

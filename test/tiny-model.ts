import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { type ConversionSource, convert } from "../src/core/convert.js";
import { GRAPH_FILE, type GraphManifest, PREFILL_FILE } from "../src/core/graph-store.js";
import { buildInt8Cache } from "../src/core/int8-cache/build.js";
import type { DecoderInfo, EncoderInfo } from "../src/core/models/types.js";
import type { Dtype } from "../src/core/requests.js";
import { Decoder } from "../src/core/runtime/decoder.js";
import { Encoder } from "../src/core/runtime/encoder.js";
import {
  type classifierGoldens,
  type decoderGoldens,
  type encoderGoldens,
  golden,
} from "./golden/reference.js";
import { SequenceRunner } from "./sequence-runner.js";

type GoldenName = (typeof decoderGoldens | typeof encoderGoldens | typeof classifierGoldens)[number];

/** A folder for the graphs of one test file: `graphs()` is where they are kept until its tests have ended. */
export function graphsFolder(): () => string {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), "hfms-graphs-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  return () => folder;
}

/** What `convert` asks to know of a golden. */
export function goldenSource(name: GoldenName) {
  const { directory, reference } = golden(name as "llama-gqa");
  const index = "model.safetensors.index.json";
  const weights = reference.file ?? (existsSync(path.join(directory, index)) ? index : "model.safetensors");
  return { model: `golden/${name}`, revision: "0".repeat(40), source: "local", directory, weights } as const;
}

/** A golden by its name, or another model that `convert` can read. */
export type TinyModel = GoldenName | ConversionSource;

interface GraphOptions {
  root: string;
  dtype?: Dtype;
  kvCacheDtype?: "fp32" | "int8";
  /** Folder of a tokenizer, for a model without one: a cache of int8 is measured on a text. */
  textDirectory?: string;
}

/** Builds a model's graph below `root`; a second time it is there already. */
export async function tinyGraph(
  model: TinyModel,
  { root, dtype = "fp32", kvCacheDtype, textDirectory: text }: GraphOptions,
): Promise<{ directory: string; graph: string; manifest: GraphManifest }> {
  const source = typeof model === "string" ? goldenSource(model) : model;
  let built = await finish(convert(source, { root, dtype }));
  if (kvCacheDtype === "int8") {
    const textDirectory = text ?? (built.manifest.ownText ? built.directory : source.directory);
    built = await finish(buildInt8Cache(source, { ...built, textDirectory }, { root, threads: 2 }));
  }
  return { ...built, graph: path.join(built.directory, GRAPH_FILE) };
}

/**
 * A decoder, which goes when the test ends. Its prompts go through the graph for prompts where there is one, as those
 * of a small model do, unless `prefill` is false.
 */
export async function tinyDecoder(
  model: TinyModel,
  { threads = 2, prefill = true, ...options }: GraphOptions & { threads?: number; prefill?: boolean },
): Promise<SequenceRunner> {
  const { directory, graph, manifest } = await tinyGraph(model, options);
  const graphs = {
    step: graph,
    prefill: prefill && manifest.prefill ? path.join(directory, PREFILL_FILE) : undefined,
    usesPrefill: (tokens: number) => tokens > 1,
  };
  const decoder = await Decoder.load(graphs, manifest.info as DecoderInfo, { threads });
  onTestFinished(() => decoder[Symbol.asyncDispose]());
  return new SequenceRunner(decoder);
}

/** An encoder, which goes when the test ends. */
export async function tinyEncoder(
  model: TinyModel,
  options: { root: string; dtype?: Dtype },
): Promise<Encoder> {
  const { graph, manifest } = await tinyGraph(model, options);
  const encoder = await Encoder.load(graph, manifest.info as EncoderInfo, { threads: 2 });
  onTestFinished(() => encoder[Symbol.asyncDispose]());
  return encoder;
}

/** Runs long work to its end and returns its result. */
export async function finish<R>(work: AsyncGenerator<unknown, R>): Promise<R> {
  for (;;) {
    const step = await work.next();
    if (step.done) return step.value;
  }
}

/** Everything that a generator yields. */
export async function collect<E>(events: AsyncIterable<E>): Promise<E[]> {
  const all: E[] = [];
  for await (const event of events) all.push(event);
  return all;
}

/** Lets the greedy tokens follow a prompt, one run each. */
export async function greedyTokens(
  decoder: SequenceRunner,
  prompt: readonly number[],
  count: number,
): Promise<number[]> {
  decoder.truncate(0);
  const tokens: number[] = [];
  let logits = await decoder.append(prompt);
  while (tokens.length < count) {
    tokens.push(indexOfLargest(logits));
    if (tokens.length < count) logits = await decoder.append(tokens.slice(-1));
  }
  return tokens;
}

export function indexOfLargest(values: Float32Array): number {
  return values.reduce((best, value, i) => (value > values[best] ? i : best), 0);
}

export function largestDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new RangeError(`${a.length} values against ${b.length}`);
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i])), 0);
}

/** The largest difference, in units of the largest expected value. */
export function relativeDifference(actual: Float32Array, expected: Float32Array): number {
  const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largestDifference(actual, expected) / largest;
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

import os from "node:os";
import path from "node:path";
import type { Config } from "./config.js";
import { ENCODER_FILE, GRAPH_FILE, type GraphManifest, PREFILL_FILE } from "./graph-store.js";
import { readProcessor } from "./hardware/processor.js";
import type { Machine } from "./hardware/types.js";
import type { Decoder } from "./runtime/decoder.js";
import type { Encoder } from "./runtime/encoder.js";
import type { EncoderDecoder } from "./runtime/encoder-decoder.js";
import { hasFastInt8, prefersFloats } from "./runtime/prefill-policy.js";
import type { AnswerLoop } from "./scheduler/answer-loop.js";
import type { EncoderBatcher } from "./scheduler/encoder-batcher.js";
import type { GenerationLimits, GenerationLoop } from "./scheduler/generation-loop.js";

/** A graph with its sessions, and who decides what runs in them next. */
export type ModelRunner =
  | { kind: "decoder"; decoder: Decoder; loop: GenerationLoop }
  | { kind: "encoder"; encoder: Encoder; batcher: EncoderBatcher }
  | { kind: "encoder-decoder"; model: EncoderDecoder; loop: AnswerLoop };

/** Sequences of one model that are computed at the same time. */
const SEQUENCES = 16;
/** Of the memory, for the keys and values of a model's sequences. */
const CACHE_SHARE = 0.25;
const MOST_PREFIX_BYTES = 2 ** 30;

/** Opens a built graph, by what its manifest says it is. */
export async function openRunner(
  config: Config,
  directory: string,
  manifest: GraphManifest,
  machine: Machine,
): Promise<ModelRunner> {
  const { info, parameters } = manifest;
  const { threads = os.availableParallelism(), spin = true } = config;
  const options = { threads, config: spinConfig(spin) };
  const step = path.join(directory, GRAPH_FILE);
  if (info.kind === "encoder") {
    const { Encoder } = await import("./runtime/encoder.js");
    const { EncoderBatcher } = await import("./scheduler/encoder-batcher.js");
    const encoder = await Encoder.load(step, info, options);
    return { kind: "encoder", encoder, batcher: new EncoderBatcher(encoder) };
  }
  if (info.kind === "encoder-decoder") {
    const { EncoderDecoder } = await import("./runtime/encoder-decoder.js");
    const { AnswerLoop } = await import("./scheduler/answer-loop.js");
    const graphs = { encoder: path.join(directory, ENCODER_FILE), decoder: step };
    const model = await EncoderDecoder.load(graphs, info, options);
    return { kind: info.kind, model, loop: new AnswerLoop(model, generationLimits(config)) };
  }
  const { Decoder } = await import("./runtime/decoder.js");
  const prefill = manifest.prefill ? path.join(directory, PREFILL_FILE) : undefined;
  const fastInt8 = hasFastInt8((await readProcessor(machine)).instructionSets);
  const facts = { parameters, fastInt8, int8Cache: manifest.kvCacheDtype === "int8" };
  const graphs = { step, prefill, usesPrefill: (tokens: number) => prefersFloats(tokens, facts) };
  const { GenerationLoop } = await import("./scheduler/generation-loop.js");
  const decoder = await Decoder.load(graphs, info, options);
  return { kind: "decoder", decoder, loop: new GenerationLoop(decoder, generationLimits(config)) };
}

/** Ends what runs, and releases the graph. */
export async function closeRunner(runner: ModelRunner): Promise<void> {
  const [work, model] =
    runner.kind === "encoder"
      ? [runner.batcher, runner.encoder]
      : [runner.loop, runner.kind === "decoder" ? runner.decoder : runner.model];
  await work[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
}

/** A quarter of what keys and values may take goes to those of prompts that begin alike. */
function generationLimits({ sequences = SEQUENCES, cacheBytes = CACHE_SHARE }: Config): GenerationLimits {
  const memory = Math.min(os.totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY);
  const bytes = cacheBytes > 1 ? cacheBytes : memory * cacheBytes;
  return { sequences, cacheBytes: bytes, prefixBytes: Math.min(bytes / 4, MOST_PREFIX_BYTES) };
}

/** Session options of ONNX Runtime for `spin` of the configuration. */
function spinConfig(spin: boolean | number): Record<string, string> | undefined {
  if (typeof spin === "number") return { "session.intra_op.spin_duration_us": String(spin) };
  return spin ? undefined : { "session.intra_op.allow_spinning": "0" };
}

import fs from "node:fs/promises";
import path from "node:path";
import type { GraphManifest } from "../graph-store.js";
import { readAnswering, readTasks } from "../models/encoder-decoder/answering.js";
import type { Architecture } from "../models/types.js";
import type { SamplingParams } from "../requests.js";
import { ggufStopTokens } from "../text/gguf-stop-tokens.js";
import type { WeightFile } from "../weights/types.js";
import { type ConversionSource, readJson } from "./source.js";

/** Stop tokens and sampling, out of generation_config.json, config.json or the GGUF metadata. */
export async function readGeneration(
  source: ConversionSource,
  file: WeightFile,
  config: Record<string, unknown>,
): Promise<Pick<GraphManifest, "stopTokens" | "sampling">> {
  if (source.weights.endsWith(".gguf")) {
    return { stopTokens: ggufStopTokens(file.metadata), sampling: {} };
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

export async function answeringOf(
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

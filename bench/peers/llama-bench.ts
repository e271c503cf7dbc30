import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

export interface LlamaRun {
  /** Tokens of the prompt that is timed; 0 for none. */
  prompt?: number;
  /** Tokens that are generated and timed, each fed back as the next input, with no sampling. */
  generate?: number;
  /** Tokens that stand in the context before, untimed. */
  depth?: number;
  threads: number;
  repetitions?: number;
}

/** Tokens per second of each repetition, by llama.cpp's own llama-bench. It runs once before, to warm up. */
export async function llamaBench(peers: string, model: string, run: LlamaRun): Promise<number[]> {
  const { prompt = 0, generate = 0, depth = 0, threads, repetitions = 1 } = run;
  const numbers = { "-p": prompt, "-n": generate, "-d": depth, "-t": threads, "-r": repetitions };
  const args = Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]);
  const [result] = JSON.parse(await llama(peers, "llama-bench", model, ["-o", "json", ...args])) as {
    samples_ts: number[];
  }[];
  return result.samples_ts;
}

export interface LlamaBatchRun {
  /** Sequences side by side, each with a prompt of its own. */
  streams: number;
  prompt: number;
  generate: number;
  threads: number;
}

/**
 * Tokens per second of all sequences together, by llama.cpp's own llama-batched-bench: of generating (its S_TG), and of
 * prompts and answers over the whole time (its S). It computes 16 tokens before, to warm up.
 */
export async function llamaBatchedBench(
  peers: string,
  model: string,
  { streams, prompt, generate, threads }: LlamaBatchRun,
): Promise<{ generation: number; whole: number }> {
  const context = Math.max(4096, streams * (prompt + generate));
  const numbers = { "-c": context, "-npp": prompt, "-ntg": generate, "-npl": streams, "-t": threads };
  const args = Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]);
  const output = await llama(peers, "llama-batched-bench", model, ["--output-format", "jsonl", ...args]);
  const line = output.split("\n").find((one) => one.startsWith("{"));
  if (line === undefined)
    throw new Error(`llama-batched-bench said nothing of ${streams} streams: ${output}`);
  const { speed_tg: generation, speed: whole } = JSON.parse(line) as { speed_tg: number; speed: number };
  return { generation, whole };
}

/** Which llama.cpp it is: the package that its sources came in. */
export async function llamaVersion(peers: string): Promise<string> {
  const text = await readFile(path.join(peers, "llama.cpp", "VERSION"), "utf8").catch(() => "unknown");
  return text.trim();
}

async function llama(peers: string, name: string, model: string, args: string[]): Promise<string> {
  const program = path.join(peers, "llama.cpp", name);
  const file = path.join(peers, "models", model);
  for (const wanted of [program, file]) {
    if (!existsSync(wanted)) throw new Error(`${wanted} is not there: run bench/peers/build.sh first`);
  }
  const { stdout } = await promisify(execFile)(program, ["-m", file, ...args]);
  return stdout;
}

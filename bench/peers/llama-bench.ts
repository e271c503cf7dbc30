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
  const program = path.join(peers, "llama.cpp", "llama-bench");
  const file = path.join(peers, "models", model);
  for (const wanted of [program, file]) {
    if (!existsSync(wanted)) throw new Error(`${wanted} is not there: run bench/peers/build.sh first`);
  }
  const { prompt = 0, generate = 0, depth = 0, threads, repetitions = 1 } = run;
  const numbers = { "-p": prompt, "-n": generate, "-d": depth, "-t": threads, "-r": repetitions };
  const args = Object.entries(numbers).flatMap(([flag, value]) => [flag, String(value)]);
  const { stdout } = await promisify(execFile)(program, ["-m", file, "-o", "json", ...args]);
  const [result] = JSON.parse(stdout) as { samples_ts: number[] }[];
  return result.samples_ts;
}

/** Which llama.cpp it is: the package that its sources came in. */
export async function llamaVersion(peers: string): Promise<string> {
  const text = await readFile(path.join(peers, "llama.cpp", "VERSION"), "utf8").catch(() => "unknown");
  return text.trim();
}

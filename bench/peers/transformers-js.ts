import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

interface Peer extends Disposable {
  version: string;
}

export interface TransformersJs extends Peer {
  /** Embeds the texts in batches of 32, in order, and says how long it took; mean pooling, normalised. */
  embed(texts: string[]): Promise<{ ms: number; vectors: Float32Array[] }>;
}

/** transformers.js in a process of its own, with its embedding model loaded. */
export async function startTransformersJs(modelsDirectory: string, threads: number): Promise<TransformersJs> {
  const { child, ...peer } = await start("transformers-js.mjs", modelsDirectory, "minilm", threads);
  return {
    ...peer,
    async embed(texts) {
      child.send({ texts, batch: 32 });
      return answer(child);
    },
  };
}

export interface GeneratedBatch {
  /** Times that the model ran: once for the prompts, then once for each further token. */
  steps: number;
  /** Of each prompt, padding included. */
  promptTokens: number;
  answers: string[];
  /** Until the first tokens are there, from the first to the last ones, and all in all. */
  firstMs: number;
  generationMs: number;
  ms: number;
}

export interface TransformersJsGeneration extends Peer {
  /** Generates so many tokens for each prompt, all prompts as one batch, greedily. */
  generate(prompts: string[], tokens: number): Promise<GeneratedBatch>;
}

/** transformers.js in a process of its own, with its language model loaded. */
export async function startTransformersJsGeneration(
  modelsDirectory: string,
  threads: number,
): Promise<TransformersJsGeneration> {
  const { child, ...peer } = await start(
    "transformers-js-generation.mjs",
    modelsDirectory,
    "smollm2",
    threads,
  );
  return {
    ...peer,
    async generate(prompts, tokens) {
      child.send({ prompts, tokens });
      return answer(child);
    },
  };
}

async function start(
  program: string,
  modelsDirectory: string,
  model: string,
  threads: number,
): Promise<Peer & { child: ChildProcess }> {
  const script = fileURLToPath(new URL(`./${program}`, import.meta.url));
  const files = [path.join(path.dirname(script), "node_modules"), path.join(modelsDirectory, model, "onnx")];
  for (const file of files) {
    if (!existsSync(file)) throw new Error(`${file} is not there: run bench/peers/build.sh first`);
  }
  const child = fork(script, [modelsDirectory, model, String(threads)], { serialization: "advanced" });
  const { version } = await answer<{ version: string }>(child);
  return { child, version, [Symbol.dispose]: () => child.kill() };
}

async function answer<T>(child: ChildProcess): Promise<T> {
  const stop = new AbortController();
  try {
    const [message] = await Promise.race([
      once(child, "message", { signal: stop.signal }),
      once(child, "exit", { signal: stop.signal }).then(([code]) => {
        throw new Error(`transformers.js ended with code ${code}`);
      }),
    ]);
    return message as T;
  } finally {
    stop.abort();
  }
}

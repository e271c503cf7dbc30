import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export interface TransformersJs extends Disposable {
  version: string;
  /** Embeds the texts in batches of 32, in order, and says how long it took; mean pooling, normalised. */
  embed(texts: string[]): Promise<{ ms: number; vectors: Float32Array[] }>;
}

/** transformers.js in a process of its own, with its model loaded. */
export async function startTransformersJs(modelsDirectory: string, threads: number): Promise<TransformersJs> {
  const script = fileURLToPath(new URL("./transformers-js.mjs", import.meta.url));
  for (const file of [
    path.join(path.dirname(script), "node_modules"),
    path.join(modelsDirectory, "minilm", "onnx"),
  ]) {
    if (!existsSync(file)) throw new Error(`${file} is not there: run bench/peers/build.sh first`);
  }
  const child = fork(script, [modelsDirectory, "minilm", String(threads)], { serialization: "advanced" });
  const { version } = await answer<{ version: string }>(child);
  return {
    version,
    async embed(texts) {
      child.send({ texts, batch: 32 });
      return answer(child);
    },
    [Symbol.dispose]: () => child.kill(),
  };
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

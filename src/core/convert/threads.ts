import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type ErrorCode, HfmsError, throwIfAborted } from "../errors.js";
import type { Dtype } from "../requests.js";
import type { ConversionSource } from "./source.js";

/** What a thread needs to plan the same graph. */
export interface ThreadWork {
  source: ConversionSource;
  dtype: Dtype;
  /** Descriptor of the weights file; a process's threads share its descriptors. */
  file: number;
  /** Its name, for errors. */
  target: string;
  pieceBytes: number;
}

export type ThreadAnswer =
  | { piece: number }
  | { error: { code: ErrorCode; message: string; hint?: string; param?: string } };

/** So many pieces a thread has before it: it must not wait for the next one. */
const AHEAD = 2;

/**
 * Lets threads make the pieces [first, count), each of them whole; yields their numbers as they are finished, about in
 * order. When it ends, for whatever reason, no thread is left and nothing is written any more.
 */
export async function* makeInThreads(
  work: ThreadWork,
  { threads, first, count, signal }: { threads: number; first: number; count: number; signal?: AbortSignal },
): AsyncGenerator<number> {
  const finished: number[] = [];
  let failure: unknown;
  let wake = (): void => {};
  const fail = (error: unknown): void => {
    failure ??= error;
    wake();
  };
  let next = first;
  const workers = Array.from({ length: Math.min(threads, count - first) }, () => {
    const worker = startThread(work);
    const give = (): void => {
      if (next < count) worker.postMessage(next++);
    };
    worker.on("message", (answer: ThreadAnswer) => {
      if ("error" in answer)
        return fail(new HfmsError(answer.error.code, answer.error.message, answer.error));
      finished.push(answer.piece);
      give();
      wake();
    });
    worker.on("error", fail);
    worker.on("exit", (code) =>
      fail(new HfmsError("internal_error", `a thread that makes weights ended with code ${code}`)),
    );
    for (let i = 0; i < AHEAD; i++) give();
    return worker;
  });
  const stop = (): void => wake();
  signal?.addEventListener("abort", stop);
  try {
    for (let left = count - first; left > 0; ) {
      throwIfAborted(signal);
      if (failure) throw failure;
      if (finished.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      for (const piece of finished.splice(0)) {
        left--;
        yield piece;
      }
    }
  } finally {
    signal?.removeEventListener("abort", stop);
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}

/** The compiled program, or from the sources: then Node needs the rule that finds `.ts` behind `.js`. */
function startThread(work: ThreadWork): Worker {
  const fromSources = import.meta.url.endsWith(".ts");
  const entry = new URL(fromSources ? "./thread.ts" : "./thread.js", import.meta.url);
  const sources = new URL("../../../bin/sources.js", import.meta.url);
  return new Worker(entry, {
    name: "hfms convert",
    workerData: work,
    execArgv: fromSources && existsSync(fileURLToPath(sources)) ? ["--import", sources.href] : [],
  });
}

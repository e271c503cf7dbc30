import { HfmsError, throwIfAborted } from "../errors.js";
import type { NoticeEvent, ProgressEvent } from "../requests.js";

/** One file on its way. `report` takes the bytes of it that are here by now. */
export type TransferJob = (report: Report, signal: AbortSignal) => Promise<void>;

export interface Report {
  (bytes: number): void;
  notice(message: string): void;
}

export interface TransferOptions {
  /** For the progress events. */
  what: string;
  jobs: TransferJob[];
  /** Bytes over all jobs, and those that need no transfer. */
  total?: number;
  done?: number;
  signal?: AbortSignal;
  concurrency?: number;
}

const CONCURRENCY = 6;
const TICK_MS = 100;

/**
 * Runs jobs in parallel and tells their common progress ten times a second. The first failure stops the others. When
 * the consumer leaves early, all of them are stopped before this returns.
 */
export async function* transfer(options: TransferOptions): AsyncGenerator<ProgressEvent | NoticeEvent, void> {
  const { what, jobs, total, done: before = 0, signal, concurrency = CONCURRENCY } = options;
  throwIfAborted(signal);
  const stop = new AbortController();
  const stopSignal = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
  const bytes = new Array<number>(jobs.length).fill(0);
  const notices: NoticeEvent[] = [];
  let failure: { error: unknown } | undefined;
  let next = 0;

  async function worker(): Promise<void> {
    while (next < jobs.length && !stopSignal.aborted) {
      const index = next++;
      const report = Object.assign((count: number) => void (bytes[index] = count), {
        notice: (message: string) => void notices.push({ type: "notice", message }),
      });
      try {
        await jobs[index](report, stopSignal);
      } catch (error) {
        failure ??= { error };
        stop.abort(new HfmsError("aborted", "another file failed"));
      }
    }
  }

  let running = true;
  const workers = Promise.all(Array.from({ length: Math.min(concurrency, jobs.length) }, worker)).then(() => {
    running = false;
  });
  let shown = -1;
  try {
    while (running) {
      yield* notices.splice(0);
      // A file that starts over must not make the bar run backwards.
      const done = Math.max(shown, before + sum(bytes));
      if (done > shown) yield { type: "progress", phase: "download", what, done, total, unit: "bytes" };
      shown = done;
      await tick(workers);
    }
    yield* notices.splice(0);
    if (failure) {
      throwIfAborted(signal);
      throw failure.error;
    }
    throwIfAborted(signal);
    const done = before + sum(bytes);
    if (done > shown) yield { type: "progress", phase: "download", what, done, total, unit: "bytes" };
  } finally {
    stop.abort(new HfmsError("aborted", "stopped"));
    await workers;
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

/** Waits a moment, or less when the work ends; the timer must not keep the process alive after that. */
async function tick(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const moment = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, TICK_MS);
  });
  await Promise.race([work, moment]);
  clearTimeout(timer);
}

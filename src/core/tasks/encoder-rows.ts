import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../errors.js";
import type { EncoderBatcher } from "../scheduler/encoder-batcher.js";

/** What an encoder reads of one text, or of two. */
export interface EncoderRow {
  ids: number[];
  typeIds?: number[];
  /** Positions that a head which fills places is asked for. */
  places?: number[];
}

/** Longest time that texts are tokenized without a pause: the answers of other callers wait for it. */
const STRETCH_MS = 4;

/** Makes a row, or what rows are made of, of each text. Others get a turn in between. */
export async function makeRows<T, R>(
  texts: readonly T[],
  make: (text: T, index: number) => R,
  signal: AbortSignal | undefined,
): Promise<R[]> {
  const rows: R[] = [];
  let since = performance.now();
  for (const [i, text] of texts.entries()) {
    rows.push(make(text, i));
    if (performance.now() - since < STRETCH_MS) continue;
    await setImmediate();
    throwIfAborted(signal);
    since = performance.now();
  }
  return rows;
}

/** Reads a row's logits; the memory that they come in is used again. */
export function copyLogits(
  _states: Float32Array,
  _offset: number,
  _length: number,
  logits?: Float32Array,
): Float32Array {
  return (logits as Float32Array).slice();
}

/** What `read` makes of each row, in their order. When one fails, the others are not run any more. */
export async function runRows<T>(
  batcher: EncoderBatcher,
  rows: readonly EncoderRow[],
  read: Parameters<typeof batcher.submit<T>>[1],
  { signal, batchTokens }: { signal?: AbortSignal; batchTokens?: number },
): Promise<T[]> {
  const failure = new AbortController();
  const stop = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  const results = new Array<T>(rows.length);
  // Short ones first: what waits longest is then next to what is like it.
  const order = [...rows.keys()].sort((a, b) => rows[a].ids.length - rows[b].ids.length);
  try {
    await Promise.all(
      order.map(async (i) => {
        const { ids, typeIds, places } = rows[i];
        results[i] = await batcher.submit(ids, read, { signal: stop, batchTokens, typeIds, places });
      }),
    );
  } catch (error) {
    failure.abort();
    throw error;
  }
  return results;
}

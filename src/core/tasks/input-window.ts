import { aborted } from "../errors.js";

/** A producer that is slower than this gets its answers without waiting for more input. */
const PATIENCE_MS = 10;

/**
 * Cuts a stream of items into windows: as many as come quickly, up to `size`. A pipe that is full gives large windows,
 * which batch well; a person who types a line gets it answered at once. An abort throws `aborted`, also while the
 * producer has nothing to say.
 */
export async function* windows<T>(
  items: Iterable<T> | AsyncIterable<T>,
  size: number,
  signal?: AbortSignal,
): AsyncGenerator<T[]> {
  if (!(Symbol.asyncIterator in items)) {
    const window: T[] = [];
    for (const item of items) if (window.push(item) === size) yield window.splice(0);
    if (window.length > 0) yield window;
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  try {
    let next = iterator.next();
    for (let ended = false; !ended; ) {
      const window: T[] = [];
      let result: IteratorResult<T> | undefined = await orAbort(next, signal);
      while (result) {
        if (result.done) {
          ended = true;
          break;
        }
        window.push(result.value);
        next = iterator.next();
        result = window.length === size ? undefined : await withPatience(next);
        if (!result) break;
      }
      if (window.length > 0) yield window;
    }
  } finally {
    const closed = iterator.return?.();
    // A generator closes when it has said what it was asked for, and a silent one perhaps never does.
    if (signal?.aborted) closed?.catch(() => {});
    else await closed;
  }
}

async function orAbort<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const stop = (): void => reject(aborted(signal));
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, interrupted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function withPatience<T>(promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, undefined);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

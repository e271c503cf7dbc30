import { throwIfAborted } from "../errors.js";

/** Lets one caller at a time have something that can't be shared; the others wait in order. */
export class Turn {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's turn; disposing of the result passes it on. An abort while waiting throws `aborted`. */
  async take(signal?: AbortSignal): Promise<Disposable> {
    throwIfAborted(signal);
    const before = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = before.then(() => promise);
    try {
      await beforeAbort(before, signal);
      throwIfAborted(signal);
    } catch (error) {
      resolve();
      throw error;
    }
    return { [Symbol.dispose]: resolve };
  }
}

/** Ends with the promise or with the abort, whichever comes first. */
async function beforeAbort(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return promise;
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  const stop = (): void => resolve();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

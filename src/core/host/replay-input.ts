/** Texts that are kept so that they can be read again; a host reads far fewer before its first vector. */
const MAX_KEPT = 8192;

/**
 * An input that can be read from its beginning again, until `release`: another host may have to start over. The source
 * itself is read once, and closed by `close`.
 */
export class ReplayInput<T> {
  readonly #source: Iterator<T> | AsyncIterator<T>;
  readonly #kept: T[] = [];
  #keeping = true;
  #ended = false;
  /** A reader that was given up may have begun it; the next one takes it over. */
  #reading: Promise<void> | undefined;

  constructor(input: Iterable<T> | AsyncIterable<T>) {
    this.#source = Symbol.asyncIterator in input ? input[Symbol.asyncIterator]() : input[Symbol.iterator]();
  }

  get replayable(): boolean {
    return this.#keeping;
  }

  /** From now on texts are not kept: an answer has begun to leave. The present reader still gets all of them. */
  release(): void {
    this.#keeping = false;
  }

  /** The whole input, from its beginning. One reader at a time. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    let position = 0;
    return {
      next: async () => {
        for (;;) {
          if (position < this.#kept.length) return { done: false, value: this.#kept[position++] };
          if (this.#ended) return { done: true, value: undefined };
          if (!this.#keeping) this.#kept.length = position = 0;
          await this.#read();
        }
      },
    };
  }

  close(): void {
    if (this.#ended) return;
    this.#ended = true;
    // A generator that waits for its own source closes when that speaks again; nobody waits for it.
    void Promise.resolve(this.#source.return?.()).catch(() => {});
  }

  #read(): Promise<void> {
    this.#reading ??= this.#readOne().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #readOne(): Promise<void> {
    const step = await this.#source.next();
    if (step.done) this.#ended = true;
    else if (this.#kept.push(step.value) > MAX_KEPT) this.release();
  }
}

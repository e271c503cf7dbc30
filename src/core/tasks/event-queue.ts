/** Carries events from where they happen to the generator that yields them, in order. Bounded by what is produced. */
export class EventQueue<E> {
  #events: E[] = [];
  #ended = false;
  #error: unknown;
  #wake: () => void = () => {};

  push(event: E): void {
    this.#events.push(event);
    this.#wake();
  }

  /** No more events come; with an error, the reader throws it behind the last one. */
  end(error?: unknown): void {
    this.#ended = true;
    this.#error = error;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<E> {
    for (;;) {
      const events = this.#events;
      this.#events = [];
      yield* events;
      if (this.#events.length > 0) continue;
      if (this.#ended) break;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#error !== undefined) throw this.#error;
  }
}

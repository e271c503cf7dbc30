/** Lets one caller at a time have something that can't be shared; the others wait in order. */
export class Turn {
  #last: Promise<void> = Promise.resolve();

  /** Resolves when it is the caller's turn; disposing of the result passes it on. */
  async take(): Promise<Disposable> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = this.#last;
    this.#last = before.then(() => promise);
    await before;
    return { [Symbol.dispose]: resolve };
  }
}

import { EVENT_WINDOW, type FromHost } from "./protocol.js";

type Item = Extract<FromHost, { type: "event" | "end" }>;

/**
 * What comes back of one call, for one reader. At most EVENT_WINDOW events wait here: the host has no credit for more,
 * and gets new credit as events are read.
 */
export class CallStream {
  /** The host said the last word: there is nothing to abort any more. */
  answered = false;
  readonly #grant: (events: number) => void;
  readonly #items: Item[] = [];
  #error: Error | undefined;
  #read = 0;
  #wake: (() => void) | undefined;

  constructor(grant: (events: number) => void) {
    this.#grant = grant;
  }

  push(item: Item): void {
    this.answered ||= item.type === "end";
    this.#items.push(item);
    this.#wake?.();
  }

  /** The reader gets the error behind what came before it, or at once when the reader's own side stops. */
  fail(error: Error, fromHost = false): void {
    this.answered ||= fromHost;
    if (!fromHost) this.#items.length = 0;
    this.#error ??= error;
    this.#wake?.();
  }

  async next(): Promise<Item> {
    for (;;) {
      const item = this.#items.shift();
      if (item) {
        if (item.type === "event") this.#count();
        return item;
      }
      if (this.#error) throw this.#error;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  #count(): void {
    if (++this.#read < EVENT_WINDOW / 2) return;
    this.#grant(this.#read);
    this.#read = 0;
  }
}

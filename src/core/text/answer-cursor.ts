import { JsonScanner } from "./json-scanner.js";

/** A reader of text that is still coming: it yields when it needs more, and returns what it found. */
export type Reading<T> = Generator<void, T, void>;

/**
 * A place in a text that grows at its end. Its methods wait for more text only as long as the answer depends on it,
 * so what they find never depends on how the text was cut into pieces.
 */
export class AnswerCursor {
  /** What was read and can be gone back to. Apart from the rest, so that a long call costs no copies. */
  #read = "";
  #rest = "";
  #at = 0;
  /** Position of `#read` in the whole text. */
  #start = 0;
  #ended = false;

  append(text: string): void {
    this.#read += this.#rest.slice(0, this.#at);
    this.#rest = this.#rest.slice(this.#at) + text;
    this.#at = 0;
  }

  /** No more text comes. */
  end(): void {
    this.#ended = true;
  }

  get position(): number {
    return this.#start + this.#read.length + this.#at;
  }

  /** The text from here on, as far as it came. */
  get ahead(): string {
    return this.#rest.slice(this.#at);
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Steps over characters that have come. */
  take(length: number): string {
    const text = this.#rest.slice(this.#at, this.#at + length);
    this.#at += text.length;
    return text;
  }

  /** Back to an earlier position, not before the latest `forget`. */
  rewind(position: number): void {
    const at = position - this.#start - this.#read.length;
    if (at >= 0) {
      this.#at = at;
      return;
    }
    const text = this.#read + this.#rest;
    this.#read = text.slice(0, position - this.#start);
    this.#rest = text.slice(position - this.#start);
    this.#at = 0;
  }

  /** What was read up to here will not be gone back to. */
  forget(): void {
    this.#start = this.position;
    this.#rest = this.#rest.slice(this.#at);
    this.#read = "";
    this.#at = 0;
  }

  /** Is there another character? Waits for it; false at the end of the text. */
  *more(): Reading<boolean> {
    while (this.#at === this.#rest.length) {
      if (this.#ended) return false;
      yield;
    }
    return true;
  }

  /** The next character, not stepped over; "" at the end of the text. */
  *peek(): Reading<string> {
    return (yield* this.more()) ? this.#rest[this.#at] : "";
  }

  /** Steps over `text` if it is next. */
  *literal(text: string): Reading<boolean> {
    for (;;) {
      const ahead = this.#rest.slice(this.#at, this.#at + text.length);
      if (!text.startsWith(ahead)) return false;
      if (ahead.length === text.length) {
        this.#at += text.length;
        return true;
      }
      if (this.#ended) return false;
      yield;
    }
  }

  /** Steps over characters that match, one by one, and returns them. */
  *while(pattern: RegExp): Reading<string> {
    let text = "";
    while ((yield* this.more()) && pattern.test(this.#rest[this.#at])) text += this.take(1);
    return text;
  }

  *space(): Reading<string> {
    return yield* this.while(/[ \t\r\n]/);
  }

  /** Steps over space and `text`, if `text` comes after the space. */
  *spaced(text: string): Reading<boolean> {
    const start = this.position;
    yield* this.space();
    if (yield* this.literal(text)) return true;
    this.rewind(start);
    return false;
  }

  /** Steps over space and `text`, and over the beginning of it where the answer breaks off in it. */
  *closing(text: string): Reading<boolean> {
    if (yield* this.spaced(text)) return true;
    const start = this.position;
    yield* this.space();
    const { ahead } = this;
    if (this.#ended && ahead !== "" && text.startsWith(ahead)) return this.take(ahead.length) !== "";
    this.rewind(start);
    return false;
  }

  /** Text up to `end`, which is stepped over; undefined where it never comes. */
  *upTo(end: string): Reading<string | undefined> {
    let text = "";
    while (yield* this.more()) {
      if (yield* this.literal(end)) return text;
      text += this.take(1);
    }
    return undefined;
  }

  /** A JSON value's text, also piece by piece as it comes; undefined where it is none or breaks off. */
  *json(onText?: (text: string) => void): Reading<string | undefined> {
    const scanner = new JsonScanner();
    let value = "";
    while (yield* this.more()) {
      const text = this.take(scanner.scan(this.#rest, this.#at) - this.#at);
      value += text;
      if (text !== "") onText?.(text);
      if (scanner.state !== "open") return scanner.state === "done" ? value : undefined;
    }
    return undefined;
  }
}

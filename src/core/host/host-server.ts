import { HfmsError } from "../errors.js";
import type { EmbedInput } from "../requests.js";
import {
  type Calls,
  EVENT_WINDOW,
  type FromHost,
  type HostedEngine,
  INPUT_WINDOW,
  type Method,
  type ToHost,
} from "./protocol.js";
import { fromWire, toWire } from "./wire-error.js";

type CallMessage = Extract<ToHost, { type: "call" }>;

/** One call that is being worked on. */
interface Work {
  abort: AbortController;
  /** Events that may still be sent. */
  credit: number;
  /** Called when there is credit again. */
  resume?: () => void;
  input?: StreamedInput;
}

/** The host's end of the channel: does what messages ask with an engine, and sends what comes of it. */
export class HostServer {
  readonly #engine: Promise<HostedEngine>;
  readonly #send: (message: FromHost) => void;
  readonly #work = new Map<number, Work>();
  readonly #calls = new Set<Promise<void>>();

  constructor(engine: Promise<HostedEngine>, send: (message: FromHost) => void) {
    this.#engine = engine;
    this.#send = send;
    // Calls tell of it, each to its own caller.
    engine.catch(() => {});
  }

  receive(message: ToHost): void {
    if (message.type === "call") {
      const call = this.#call(message).finally(() => this.#calls.delete(call));
      this.#calls.add(call);
    } else if (message.type === "ping")
      this.#send({ type: "pong", id: message.id, memory: process.memoryUsage.rss() });
    else if (message.type !== "open" && message.type !== "close") this.#toWork(message);
  }

  /** Stops all calls and ends when they have: files are put aside, locks are given back. */
  async close(): Promise<void> {
    for (const { abort, resume } of this.#work.values()) {
      abort.abort();
      resume?.();
    }
    await Promise.all(this.#calls);
  }

  #toWork(message: Exclude<ToHost, { type: "open" | "close" | "call" | "ping" }>): void {
    // A message may cross with the end of its call.
    const work = this.#work.get(message.id);
    if (!work) return;
    switch (message.type) {
      case "credit":
        work.credit += message.events;
        work.resume?.();
        break;
      case "abort":
        work.abort.abort();
        work.resume?.();
        break;
      case "input":
        work.input?.push(message.texts, message.last ?? false);
        break;
      case "input_error":
        work.input?.fail(fromWire(message.error));
    }
  }

  async #call({ id, method, request, streamed }: CallMessage): Promise<void> {
    const work: Work = { abort: new AbortController(), credit: EVENT_WINDOW };
    this.#work.set(id, work);
    try {
      const engine = await this.#engine;
      if (streamed) work.input = new StreamedInput(id, this.#send);
      const whole = work.input ? { ...request, input: work.input } : request;
      const { signal } = work.abort;
      const events = (engine[method] as HostedEngine["embed"])(whole as never, signal);
      try {
        for (let step = await events.next(); ; step = await events.next()) {
          if (step.done) {
            this.#send({ type: "end", id, result: step.value as Calls[Method]["result"] });
            break;
          }
          this.#send({ type: "event", id, event: step.value });
          if (--work.credit > 0) continue;
          await new Promise<void>((resolve) => {
            work.resume = resolve;
          });
          work.resume = undefined;
          // Nobody reads any more; closing the generator ends what it does.
          if (signal.aborted) throw new HfmsError("aborted", "stopped");
        }
      } finally {
        await events.return(undefined);
      }
    } catch (error) {
      this.#send({ type: "error", id, error: toWire(error) });
    } finally {
      this.#work.delete(id);
    }
  }
}

/** Texts that come in messages, as an iterable for one reader. At most INPUT_WINDOW of them wait here. */
class StreamedInput implements AsyncIterableIterator<EmbedInput> {
  readonly #id: number;
  readonly #send: (message: FromHost) => void;
  readonly #texts: EmbedInput[] = [];
  #wanted = 0;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(id: number, send: (message: FromHost) => void) {
    this.#id = id;
    this.#send = send;
  }

  push(texts: EmbedInput[], last: boolean): void {
    this.#texts.push(...texts);
    this.#wanted -= texts.length;
    this.#ended ||= last;
    this.#wake?.();
  }

  fail(error: Error): void {
    this.#error = error;
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<EmbedInput>> {
    for (;;) {
      if (this.#texts.length > 0) return { done: false, value: this.#texts.shift() as EmbedInput };
      if (this.#error) throw this.#error;
      if (this.#ended) return { done: true, value: undefined };
      if (this.#wanted <= INPUT_WINDOW / 2) this.#want();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async return(): Promise<IteratorResult<EmbedInput>> {
    if (!this.#ended) this.#send({ type: "enough", id: this.#id });
    this.#ended = true;
    this.#texts.length = 0;
    this.#wake?.();
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #want(): void {
    const texts = INPUT_WINDOW - this.#wanted;
    this.#wanted += texts;
    this.#send({ type: "want", id: this.#id, texts });
  }
}

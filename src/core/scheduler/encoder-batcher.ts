import { setImmediate } from "node:timers/promises";
import { aborted, HfmsError } from "../errors.js";
import type { Encoder } from "../runtime/encoder.js";
import { EncoderQueue, type QueuedRow } from "./encoder-queue.js";
import { EncoderWindow } from "./encoder-window.js";

/** Padded tokens in one run. Larger batches leave the caches of a CPU core, smaller ones are dispatch. */
const BATCH_TOKENS = 2048;
/** Longest time that an encoder which has nothing to do waits for company. */
const MAX_WAIT_MS = 2;

/**
 * What `read` makes of a row: its hidden states are rows [length, hidden] of `states`, from `offset` on; `logits` are its
 * own, where the model has a head: [labels] of a text, [length, …] of its tokens, [places, vocabulary] of its places.
 */
type ReadStates<T> = (states: Float32Array, offset: number, length: number, logits?: Float32Array) => T;

export interface RowOptions {
  /** Stops the row. Rows with the same signal are one caller's; without one, a row is a caller of its own. */
  signal?: AbortSignal;
  /** Higher ones go first when rows wait. Default 0. */
  priority?: number;
  /** Upper bound of padded tokens of the run that the row is part of; a longer row runs alone. */
  batchTokens?: number;
  /** The segment of each token; all 0 where absent. */
  typeIds?: readonly number[];
  /** Positions that a head which fills places is asked for. */
  places?: readonly number[];
}

/**
 * Merges the rows of any number of callers into the runs of one encoder. A row's result has the same bits as if it had
 * run alone, and what happens to one row (abort, error) happens to no other.
 */
export class EncoderBatcher implements AsyncDisposable {
  readonly #encoder: Encoder;
  readonly #batchTokens: number;
  readonly #queue = new EncoderQueue<Row>();
  readonly #window: EncoderWindow;
  /** Those who wait for an answer. */
  readonly #callers = new Map<object, Caller>();
  #serving: Promise<void> | undefined;
  #run: { rows: readonly Row[]; controller: AbortController } | undefined;
  /** Ends the wait for company. */
  #news = Promise.withResolvers<void>();
  #disposed = false;

  constructor(encoder: Encoder, options: { batchTokens?: number; maxWaitMs?: number } = {}) {
    this.#encoder = encoder;
    this.#batchTokens = options.batchTokens ?? BATCH_TOKENS;
    this.#window = new EncoderWindow(options.maxWaitMs ?? MAX_WAIT_MS);
  }

  /**
   * Queues one row of token ids and resolves with what `read` makes of its hidden states. `read` is called with the
   * run's output, which the next run overwrites. Throws `aborted`, or what the runtime has against this very row.
   */
  submit<T>(ids: readonly number[], read: ReadStates<T>, options: RowOptions = {}): Promise<T> {
    const { signal, priority = 0, batchTokens: budget = this.#batchTokens, typeIds, places } = options;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    if (this.#disposed) reject(new HfmsError("internal_error", "the batcher is disposed"));
    else if (ids.length === 0)
      reject(new HfmsError("empty_input", "a row of no tokens has no hidden states"));
    else if (signal?.aborted) reject(aborted(signal));
    else {
      const finish: Row["finish"] = (states, offset, logits) => {
        try {
          resolve(read(states, offset, ids.length, logits));
        } catch (error) {
          reject(error);
        }
      };
      const row: Row = {
        ids,
        typeIds,
        places,
        length: ids.length,
        budget,
        priority,
        caller: signal ?? {},
        finish,
        fail: reject,
      };
      this.#admit(row, signal);
      this.#queue.add(row);
      this.#news.resolve();
      this.#serving ??= this.#serve();
    }
    return promise;
  }

  #admit(row: Row, signal: AbortSignal | undefined): void {
    let caller = this.#callers.get(row.caller);
    if (!caller) {
      const stop = (): void => this.#abandon(row.caller, aborted(signal));
      signal?.addEventListener("abort", stop, { once: true });
      caller = { rows: new Set(), leave: () => signal?.removeEventListener("abort", stop) };
      this.#callers.set(row.caller, caller);
      this.#window.arrived(performance.now(), this.#callers.size);
    }
    caller.rows.add(row);
  }

  /** Runs batches for as long as rows wait. */
  async #serve(): Promise<void> {
    for (;;) {
      // Whoever was answered by the last run, or asks in this turn of the event loop, comes first.
      await setImmediate();
      if (this.#queue.size > 0) await this.#company();
      const rows = this.#queue.take();
      if (rows.length === 0) break;
      await this.#answer(rows);
    }
    this.#serving = undefined;
  }

  async #company(): Promise<void> {
    this.#window.opened(performance.now(), this.#callers.size);
    while (this.#queue.size > 0 && this.#queue.tokens < this.#batchTokens) {
      const wait = this.#window.remainingMs(performance.now(), this.#callers.size);
      if (wait === 0) return;
      this.#news = Promise.withResolvers();
      const timer = setTimeout(this.#news.resolve, wait);
      await this.#news.promise;
      clearTimeout(timer);
      await setImmediate();
    }
  }

  async #answer(rows: readonly Row[]): Promise<void> {
    const controller = new AbortController();
    this.#run = { rows, controller };
    try {
      const { data, shape } = await this.#encoder.run(
        rows.map(({ ids }) => ids),
        controller.signal,
        rows.map(({ typeIds }) => typeIds),
        rows.map(({ places }) => places),
      );
      const [, longest, hidden] = shape;
      for (const [i, row] of rows.entries()) {
        if (!this.#release(row)) continue;
        const logits = this.#encoder.logitsOf(i, row.places?.length ?? row.length);
        row.finish(data, i * longest * hidden, logits);
      }
    } catch (error) {
      this.#run = undefined;
      const left = rows.filter((row) => this.#waitsFor(row));
      if (rows.length === 1) for (const row of left) this.#fail(row, error);
      // One of them spoils the run, or all are too much at once: each one is told its own fate.
      else for (const row of left) if (this.#waitsFor(row)) await this.#answer([row]);
    } finally {
      this.#run = undefined;
    }
  }

  /** Ends all of a caller's rows. A run ends only if nobody waits for any of its rows. */
  #abandon(key: object, reason: unknown): void {
    for (const row of this.#callers.get(key)?.rows ?? []) {
      this.#queue.remove(row);
      this.#fail(row, reason);
    }
    this.#news.resolve();
    if (this.#run && !this.#run.rows.some((row) => this.#waitsFor(row))) this.#run.controller.abort();
  }

  #fail(row: Row, reason: unknown): void {
    if (this.#release(row)) row.fail(reason);
  }

  #waitsFor(row: Row): boolean {
    return this.#callers.get(row.caller)?.rows.has(row) ?? false;
  }

  /** Nobody waits for the row from here on. False where that was so before. */
  #release(row: Row): boolean {
    const caller = this.#callers.get(row.caller);
    if (!caller?.rows.delete(row)) return false;
    if (caller.rows.size === 0) {
      caller.leave();
      this.#callers.delete(row.caller);
    }
    return true;
  }

  /** Stops the run that is under way, and tells all who wait. The encoder is its owner's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const closed = new HfmsError("aborted", "the model was closed");
    for (const key of [...this.#callers.keys()]) this.#abandon(key, closed);
    await this.#serving;
  }
}

interface Row extends QueuedRow {
  ids: readonly number[];
  typeIds: readonly number[] | undefined;
  places: readonly number[] | undefined;
  finish(states: Float32Array, offset: number, logits: Float32Array | undefined): void;
  fail(reason: unknown): void;
}

interface Caller {
  rows: Set<Row>;
  /** Forgets the caller's signal. */
  leave(): void;
}

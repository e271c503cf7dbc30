import { setImmediate } from "node:timers/promises";
import { aborted, HfmsError, throwIfAborted } from "../errors.js";
import type { Decoder } from "../runtime/decoder.js";
import { type CachedPositions, capacityFor, KvCache } from "../runtime/kv-cache.js";
import { logitsRow } from "../runtime/lane.js";
import { Batch } from "./batch.js";
import { type GenerationEnd, type GenerationRequest, GenerationSequence } from "./generation-sequence.js";
import { RunCosts } from "./guess-costs.js";
import { PREFIX_BLOCK, PrefixCache } from "./prefix-cache.js";
import { PromptRunner } from "./prompt-runner.js";
import { Scheduler, type SchedulerLimits } from "./scheduler.js";
import { type Drafter, Speculator } from "./speculator.js";

export interface GenerationLimits {
  /** Sequences that are computed at the same time. */
  sequences: number;
  /** Bytes of keys and values for them. */
  cacheBytes: number;
  /** Bytes of keys and values that are kept for prompts that begin alike. */
  prefixBytes: number;
}

/** Tokens of a prompt in one run, alone and among others. Activations grow with it, and larger ones gain nothing. */
const PIECE = 512;
const BUSY_PIECE = 256;
/** Choosing tokens gives the event loop a turn after this many milliseconds. */
const TURN_MS = 4;

type Pump = "prompts" | "steps";

/**
 * Generates for any number of callers at once. Two pumps run while there is something to do: one computes prompts, the
 * other takes all running sequences a token further. Neither waits for the other, so a long prompt makes the running
 * answers slower but never stops them. No sequence's tokens depend on the others.
 */
export class GenerationLoop implements AsyncDisposable {
  readonly #decoder: Decoder;
  readonly #limits: SchedulerLimits;
  readonly #scheduler: Scheduler<GenerationSequence>;
  readonly #prompts: PromptRunner;
  readonly #batch: Batch;
  readonly #sequences = new Set<GenerationSequence>();
  readonly #pumps = new Map<Pump, Promise<void>>();
  /** Pumps that have been asked for while they were running, perhaps behind their last look. */
  readonly #again = new Set<Pump>();
  readonly #costs = new RunCosts();
  /** Runs that are under way: what they compute, and what stops them. */
  readonly #runs = new Map<AbortController, readonly GenerationSequence[]>();
  #disposed = false;

  constructor(decoder: Decoder, limits: GenerationLimits) {
    const { contextLength } = decoder.info;
    const positionBytes = KvCache.positionBytes(decoder.info);
    const blocks = Math.floor(limits.prefixBytes / (positionBytes * PREFIX_BLOCK));
    this.#decoder = decoder;
    this.#prompts = new PromptRunner(decoder, new PrefixCache<CachedPositions>(blocks));
    this.#batch = new Batch(decoder, limits.sequences);
    this.#limits = {
      slots: limits.sequences,
      positions: Math.floor(limits.cacheBytes / positionBytes),
      capacityFor: (length) => capacityFor(length, contextLength),
      piece: PIECE,
      busyPiece: BUSY_PIECE,
    };
    this.#scheduler = new Scheduler(this.#limits);
  }

  /** Positions of one sequence that there is memory for. */
  get mostTokens(): number {
    const { positions, capacityFor: capacity } = this.#limits;
    let tokens = this.#decoder.info.contextLength;
    while (tokens > 1 && capacity(tokens) > positions) tokens = Math.floor(tokens / 2);
    return tokens;
  }

  /** Only one sequence runs at a time, so nobody else's company can change how it is computed. */
  get alone(): boolean {
    return this.#limits.slots === 1;
  }

  /** Sequences that are not over. */
  get size(): number {
    return this.#sequences.size;
  }

  /**
   * Generates one sequence. Throws context_length_exceeded or out_of_memory before anything runs when it can't fit,
   * `aborted` as soon as the signal fires, and what the request's functions throw.
   */
  async generate(request: GenerationRequest): Promise<GenerationEnd> {
    if (this.#disposed) throw new HfmsError("internal_error", "the model is unloaded");
    const sequence = new GenerationSequence(request);
    const { signal } = request;
    throwIfAborted(signal);
    if (sequence.reserved > this.#decoder.info.contextLength) {
      throw new HfmsError(
        "context_length_exceeded",
        `${sequence.reserved} tokens exceed the context of ${this.#decoder.info.contextLength}`,
      );
    }
    this.#scheduler.add(sequence);
    this.#sequences.add(sequence);
    sequence.company = this.#prompts.companyOf(sequence);
    const abort = (): void => this.#fail(sequence, aborted(signal));
    signal?.addEventListener("abort", abort, { once: true });
    if (request.maxTokens > 1) this.#decoder.prepare();
    this.#start("prompts");
    try {
      return await sequence.result;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(pump: Pump): void {
    if (this.#disposed) return;
    if (this.#pumps.has(pump)) {
      this.#again.add(pump);
      return;
    }
    const work = pump === "prompts" ? this.#computePrompts() : this.#takeSteps();
    const running = work
      .catch((error: unknown) => {
        for (const sequence of this.#sequences) this.#fail(sequence, error);
      })
      .then(() => {
        this.#pumps.delete(pump);
        if (this.#again.delete(pump)) this.#start(pump);
      });
    this.#pumps.set(pump, running);
  }

  async #computePrompts(): Promise<void> {
    // A turn first: requests that come together are seen together.
    await setImmediate();
    while (!this.#disposed) {
      this.#again.delete("prompts");
      const run = this.#scheduler.nextPrompts();
      if (!run) return this.#prompts.rest();
      const sequences = run.rows.map(({ sequence }) => sequence);
      const results = await this.#run(sequences, (signal) => this.#prompts.run(run, signal));
      for (const { sequence, computed, logits } of results ?? []) {
        if (sequence.ended) continue;
        if (logits) {
          sequence.prompted = performance.now();
          this.#guard(sequence, () => {
            const { promptLogprobs, cachedTokens, request } = sequence;
            const asked = request.promptLogprobs !== undefined;
            request.onPrompt?.({ cachedTokens, logprobs: asked ? promptLogprobs : undefined });
          });
          this.#take(sequence, logits);
        }
        if (sequence.ended) continue;
        this.#scheduler.computed(sequence, computed);
        if (sequence.state === "ready") this.#start("steps");
      }
    }
  }

  async #takeSteps(): Promise<void> {
    const vocabulary = this.#decoder.info.vocabularySize;
    await this.#batch.open();
    while (!this.#disposed) {
      this.#again.delete("steps");
      const change = this.#scheduler.nextStep();
      const running = [...change.running];
      const [only] = running;
      const alone = running.length === 1 && only.request.speculation === true;
      const drafter = alone ? this.#drafterOf(only) : undefined;
      const draft = drafter ? await this.#draft(drafter, only) : [];
      try {
        this.#batch.change(change, 1 + draft.length, this.#scheduler.batchPositions);
      } catch (error) {
        // The system has no memory left, whatever the limits say: the answers that need it end.
        for (const sequence of running) this.#fail(sequence, outOfMemory(error));
      }
      if (running.length === 0) return;
      if (running.every(({ ended }) => ended)) continue;
      const start = performance.now();
      const run = this.#run(running, (signal) =>
        draft.length > 0 ? this.#batch.verify(draft, signal) : this.#batch.step(signal),
      );
      await this.#lookAhead(running);
      const logits = await run;
      if (!logits) continue;
      if (drafter) {
        this.#costs.ran(1 + draft.length, performance.now() - start);
        drafter.learn(draft.length, this.#takeDraft(only, draft, logits));
        continue;
      }
      let turn = performance.now();
      for (const [row, sequence] of running.entries()) {
        if (!sequence.ended) this.#take(sequence, logitsRow(logits, row, vocabulary));
        if (performance.now() - turn < TURN_MS) continue;
        await setImmediate();
        turn = performance.now();
      }
    }
  }

  #drafterOf(sequence: GenerationSequence): Drafter {
    sequence.drafter ??= sequence.request.drafter?.(this.#costs) ?? new Speculator(this.#costs);
    return sequence.drafter;
  }

  async #draft(drafter: Drafter, sequence: GenerationSequence): Promise<readonly number[]> {
    try {
      return await drafter.draft(sequence.tokens, sequence.maxTokens - sequence.outputLength - 1);
    } catch (error) {
      this.#fail(sequence, error);
      return [];
    }
  }

  /** While the model runs, formats find out what they allow next. */
  async #lookAhead(running: readonly GenerationSequence[]): Promise<void> {
    const formatted = running.filter(({ request }) => request.matcher);
    if (formatted.length === 0) return;
    // The run is handed to its thread in the microtasks before this turn.
    await setImmediate();
    for (const sequence of formatted) {
      if (!sequence.ended) this.#guard(sequence, () => sequence.lookAhead());
    }
  }

  /** Takes tokens while the guesses hold, and one behind them. Returns how many guesses held. */
  #takeDraft(sequence: GenerationSequence, draft: readonly number[], logits: Float32Array): number {
    const vocabulary = this.#decoder.info.vocabularySize;
    sequence.draftedTokens += draft.length;
    for (let row = 0; row <= draft.length && !sequence.ended; row++) {
      this.#take(sequence, logitsRow(logits, row, vocabulary));
      if (sequence.tokens.at(-1) !== draft[row]) return row;
      sequence.acceptedTokens++;
    }
    return draft.length;
  }

  #take(sequence: GenerationSequence, logits: Float32Array): void {
    const finishReason = this.#guard(sequence, () => sequence.take(logits));
    if (!finishReason || sequence.ended) return;
    this.#leave(sequence);
    sequence.resolve(finishReason);
  }

  /** An error of one caller's functions ends that caller's sequence alone. */
  #guard<T>(sequence: GenerationSequence, call: () => T): T | undefined {
    try {
      return call();
    } catch (error) {
      this.#fail(sequence, error);
      return undefined;
    }
  }

  /** An error of a run ends the sequences that are in it; so does the end of all of them the run. */
  async #run<T>(
    sequences: readonly GenerationSequence[],
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T | undefined> {
    const controller = new AbortController();
    this.#runs.set(controller, sequences);
    try {
      return await work(controller.signal);
    } catch (error) {
      for (const sequence of sequences) this.#fail(sequence, error);
      return undefined;
    } finally {
      this.#runs.delete(controller);
    }
  }

  #fail(sequence: GenerationSequence, error: unknown): void {
    if (sequence.ended) return;
    this.#leave(sequence);
    sequence.reject(error);
    for (const [controller, sequences] of this.#runs) {
      if (sequences.every(({ ended }) => ended)) controller.abort();
    }
  }

  #leave(sequence: GenerationSequence): void {
    this.#scheduler.end(sequence);
    this.#sequences.delete(sequence);
    sequence.place = undefined;
    // An error of its runs has been heard of by then.
    sequence.drafter?.[Symbol.asyncDispose]?.().catch(() => {});
    // There may be room now for one that waits.
    if (this.#scheduler.waiting > 0) this.#start("prompts");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const sequence of this.#sequences) {
      this.#fail(sequence, new HfmsError("aborted", "the model was unloaded"));
    }
    await Promise.all(this.#pumps.values());
    await this.#prompts[Symbol.asyncDispose]();
    await this.#batch[Symbol.asyncDispose]();
  }
}

function outOfMemory(error: unknown): unknown {
  if (!(error instanceof RangeError)) return error;
  return new HfmsError("out_of_memory", `no memory for keys and values: ${error.message}`, {
    hint: "ask for fewer tokens, or give the cache less with HFMS_KV_CACHE",
    cause: error,
  });
}

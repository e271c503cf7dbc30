import type { Decoder } from "../runtime/decoder.js";
import { capacityFor, type KvCache } from "../runtime/kv-cache.js";
import type { Lane, Row } from "../runtime/lane.js";
import type { GenerationSequence } from "./generation-sequence.js";
import { type BatchChange, slotsFor } from "./scheduler.js";

/** Memory of an empty batch is kept for this many milliseconds: new memory costs as much as a step. */
const IDLE_MS = 2000;

/** The memory and the runs of the sequences that are decoded together, a slot for each. */
export class Batch implements AsyncDisposable {
  readonly #decoder: Decoder;
  readonly #mostSlots: number;
  #cache: KvCache | undefined;
  /** Memory of an earlier batch, for one that grows again soon. */
  #spare: KvCache | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** A step of one sequence runs beside a row that nobody reads. */
  #paired = false;
  #lane: Promise<Lane> | undefined;
  #running: readonly GenerationSequence[] = [];

  constructor(decoder: Decoder, mostSlots: number) {
    this.#decoder = decoder;
    this.#mostSlots = mostSlots;
  }

  /**
   * To be awaited before the first change: what the runtime does with single rows on this machine. Memory of the row
   * beside a single one is not counted among the positions.
   */
  async open(): Promise<void> {
    this.#paired = this.#mostSlots > 1 && (await this.#decoder.pairsSteps());
  }

  /**
   * Moves memory as the scheduler says. `room` tokens more than the sequences have now will fit; `most` positions are
   * the most that may be held.
   */
  change({ moves, joins, running }: BatchChange<GenerationSequence>, room: number, most: number): void {
    this.#running = running;
    if (running.length === 0) {
      this.#rest();
      return;
    }
    clearTimeout(this.#idle);
    for (const { sequence, from, to } of moves) {
      this.#cache?.copyFrom(this.#cache, from, to, cachedLength(sequence));
    }
    const places = new Map(
      joins.flatMap(({ sequence, slot }) => (sequence.place ? [[slot, sequence.place] as const] : [])),
    );
    // A sequence that stays alone keeps the memory that it has.
    const only = running.length === 1 ? places.get(0) : undefined;
    if (only?.cache.slots === 1) {
      if (this.#cache && this.#cache.slots > 1) this.#spare = this.#cache;
      this.#cache = only.cache;
      places.delete(0);
    }
    this.#fit(running, new Set(places.keys()), { room, most });
    for (const [slot, { cache, slot: from }] of places) {
      this.#cache?.copyFrom(cache, from, slot, cachedLength(running[slot]));
    }
    for (const { sequence } of joins) sequence.place = undefined;
  }

  /** One token for every sequence; logits [sequences, vocabulary]. */
  async step(signal: AbortSignal): Promise<Float32Array> {
    const rows: Row[] = this.#running.map(({ tokens, end }) => ({
      tokens: [tokens[tokens.length - 1]],
      past: tokens.length - 1,
      end,
    }));
    if (this.#paired && rows.length === 1) rows.push({ tokens: [0], past: 0 });
    const lane = await this.#open();
    return (await lane.run({ cache: this.#cache!, rows, logits: "last", signal })).data;
  }

  /** The last token of the only sequence and guesses of what follows it; logits [1 + guesses, vocabulary]. */
  async verify(draft: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    const [{ tokens, end }] = this.#running;
    const rows = [{ tokens: [tokens[tokens.length - 1], ...draft], past: tokens.length - 1, end }];
    const lane = await this.#open();
    return (await lane.run({ cache: this.#cache!, rows, logits: "all", signal })).data;
  }

  /** Makes room for the longest sequence. Larger memory is kept while there is enough for all, up to four times. */
  #fit(
    running: readonly GenerationSequence[],
    joining: ReadonlySet<number>,
    { room, most }: { room: number; most: number },
  ): void {
    this.#cache ??= this.#decoder.createCache();
    const cache = this.#cache;
    const { contextLength } = this.#decoder.info;
    const lengths = running.map(cachedLength);
    const kept = lengths.map((length, slot) => (joining.has(slot) ? 0 : length));
    const slots = slotsFor(Math.max(running.length, this.#paired ? 2 : 1), this.#mostSlots);
    const capacity = capacityFor(Math.min(Math.max(...lengths) + room, contextLength), contextLength);
    const serves = (memory: KvCache): boolean =>
      memory.slots >= slots &&
      memory.capacity >= capacity &&
      memory.slots * memory.capacity <= Math.min(most, 4 * slots * capacity);
    const spare = this.#spare;
    if (!serves(cache) && spare && serves(spare)) {
      for (const [slot, length] of kept.entries()) if (length > 0) spare.copyFrom(cache, slot, slot, length);
      this.#cache = spare;
      this.#spare = undefined;
      return;
    }
    if (!serves(cache)) cache.resize(slots, capacity, kept);
    if (spare && positionsOf(spare) + positionsOf(cache) > most) this.#spare = undefined;
  }

  /** Nobody runs: the memory waits a while for the next ones. */
  #rest(): void {
    if (this.#cache && this.#cache.slots > 1) this.#spare = this.#cache;
    this.#cache = undefined;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      this.#spare = undefined;
      // What is bound to it would be held as well.
      void this.#close();
    }, IDLE_MS).unref();
  }

  #open(): Promise<Lane> {
    if (!this.#lane) {
      this.#lane = this.#decoder.createLane("step");
      this.#lane.catch(() => (this.#lane = undefined));
    }
    return this.#lane;
  }

  async #close(): Promise<void> {
    const lane = this.#lane;
    this.#lane = undefined;
    await (await lane?.catch(() => undefined))?.[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    await this.#close();
    this.#cache = undefined;
    this.#spare = undefined;
  }
}

function positionsOf({ slots, capacity }: KvCache): number {
  return slots * capacity;
}

/** Positions that are in the cache: the newest token is not yet. */
function cachedLength({ tokens }: GenerationSequence): number {
  return tokens.length - 1;
}

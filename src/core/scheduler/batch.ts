import type { Decoder } from "../runtime/decoder.js";
import { capacityFor, type KvCache } from "../runtime/kv-cache.js";
import type { Lane } from "../runtime/lane.js";
import type { GenerationSequence } from "./generation-sequence.js";
import { type BatchChange, slotsFor } from "./scheduler.js";

/** The memory and the runs of the sequences that are decoded together, a slot for each. */
export class Batch implements AsyncDisposable {
  readonly #decoder: Decoder;
  readonly #mostSlots: number;
  #cache: KvCache | undefined;
  #lane: Promise<Lane> | undefined;
  #running: readonly GenerationSequence[] = [];

  constructor(decoder: Decoder, mostSlots: number) {
    this.#decoder = decoder;
    this.#mostSlots = mostSlots;
  }

  /** Bytes of keys and values. */
  get byteLength(): number {
    return this.#cache?.byteLength ?? 0;
  }

  /** Moves memory as the scheduler says. `room` tokens more than they have now will fit. */
  change({ moves, joins, running }: BatchChange<GenerationSequence>, room: number): void {
    this.#running = running;
    if (running.length === 0) {
      this.#cache = undefined;
      return;
    }
    for (const { sequence, from, to } of moves) {
      this.#cache?.copyFrom(this.#cache, from, to, cachedLength(sequence));
    }
    // The first sequence brings its memory along; nothing is copied for one that stays alone.
    const [only] = joins;
    if (running.length === 1 && only && only.sequence.cache) {
      this.#cache = only.sequence.cache;
      only.sequence.cache = undefined;
    }
    const joining = new Set(joins.filter(({ sequence }) => sequence.cache).map(({ slot }) => slot));
    this.#fit(running, joining, room);
    for (const { sequence, slot } of joins) {
      if (!sequence.cache) continue;
      this.#cache?.copyFrom(sequence.cache, 0, slot, cachedLength(sequence));
      sequence.cache = undefined;
    }
  }

  /** One token for every sequence; logits [sequences, vocabulary]. */
  async step(signal: AbortSignal): Promise<Float32Array> {
    const rows = this.#running.map(({ tokens }) => ({
      tokens: [tokens[tokens.length - 1]],
      past: tokens.length - 1,
    }));
    const lane = await this.#open();
    return (await lane.run({ cache: this.#cache!, rows, logits: "last", signal })).data;
  }

  /** The last token of the only sequence and guesses of what follows it; logits [1 + guesses, vocabulary]. */
  async verify(draft: readonly number[], signal: AbortSignal): Promise<Float32Array> {
    const [{ tokens }] = this.#running;
    const rows = [{ tokens: [tokens[tokens.length - 1], ...draft], past: tokens.length - 1 }];
    const lane = await this.#open();
    return (await lane.run({ cache: this.#cache!, rows, logits: "all", signal })).data;
  }

  /** Makes room for the longest sequence, and gives memory back when a quarter of it would do. */
  #fit(running: readonly GenerationSequence[], joining: ReadonlySet<number>, room: number): void {
    this.#cache ??= this.#decoder.createCache();
    const cache = this.#cache;
    const { contextLength } = this.#decoder.info;
    const lengths = running.map(cachedLength);
    const longest = Math.min(Math.max(...lengths) + room, contextLength);
    const needed = {
      slots: slotsFor(running.length, this.#mostSlots),
      capacity: capacityFor(longest, contextLength),
    };
    const slots = needed.slots > cache.slots || needed.slots * 4 <= cache.slots ? needed.slots : cache.slots;
    const tooLarge = needed.capacity * 4 <= cache.capacity;
    const capacity = needed.capacity > cache.capacity || tooLarge ? needed.capacity : cache.capacity;
    cache.resize(
      slots,
      capacity,
      lengths.map((length, slot) => (joining.has(slot) ? 0 : length)),
    );
  }

  #open(): Promise<Lane> {
    if (!this.#lane) {
      this.#lane = this.#decoder.createLane("step");
      this.#lane.catch(() => (this.#lane = undefined));
    }
    return this.#lane;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await (await this.#lane?.catch(() => undefined))?.[Symbol.asyncDispose]();
    this.#cache = undefined;
  }
}

/** Positions that are in the cache: the newest token is not yet. */
function cachedLength({ tokens }: GenerationSequence): number {
  return tokens.length - 1;
}

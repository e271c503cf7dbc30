import type { Source } from "../runtime/encoder-decoder.js";
import { KvCache } from "../runtime/kv-cache.js";

/** Texts that were read lately, for answers to the same ones: several answers of one request, a question asked again. */
export class SourceCache {
  readonly #bytes: number;
  readonly #positionBytes: number;
  /** The ones used last stand last. */
  readonly #known = new Map<string, Source>();
  #held = 0;

  constructor(bytes: number, positionBytes: number) {
    this.#bytes = bytes;
    this.#positionBytes = positionBytes;
  }

  get(tokens: readonly number[]): Source | undefined {
    const key = tokens.join();
    const source = this.#known.get(key);
    if (!source) return undefined;
    this.#known.delete(key);
    this.#known.set(key, source);
    return source;
  }

  /** Keeps a text in memory of its own: what was read beside it goes. */
  keep(tokens: readonly number[], source: Source): void {
    const size = this.#size(source);
    const key = tokens.join();
    if (size > this.#bytes || this.#known.has(key)) return;
    const { cache, slot, length } = source;
    const own = new KvCache(cache.shape, 0, cache.maxLength);
    own.resize(1, length, []);
    own.copyFrom(cache, slot, 0, length);
    this.#known.set(key, { cache: own, slot: 0, length });
    this.#held += size;
    for (const [oldest, other] of this.#known) {
      if (this.#held <= this.#bytes) return;
      this.#known.delete(oldest);
      this.#held -= this.#size(other);
    }
  }

  #size({ length }: Source): number {
    return length * this.#positionBytes;
  }
}

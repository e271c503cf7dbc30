import { HfmsError } from "../errors.js";
import { byteToChar, toByteLevel } from "./byte-level.js";
import type { ModelConfig, TokenModel } from "./types.js";
import { WordCache } from "./word-cache.js";

/** Below this many symbols a scan for the best pair is faster than a heap. */
const SHORT_WORD = 48;

/** A pair's rank and the heap position share one double: rank < 2^21, position < 2^32. */
const POSITION_RANGE = 2 ** 32;

/**
 * Byte-pair encoding on ids. The words arrive as plain text also for byte-level vocabularies: their symbols are found
 * through a table of 256 ids, so the printable alphabet is never written out, and repeated words come from a cache.
 * (The library's own model keys its merges by JSON strings: five times slower to build and to run.)
 */
export class BytePairModel implements TokenModel {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #merges: MergeTable;
  readonly #byteIds: Int32Array;
  readonly #byteLevel: boolean;
  readonly #config: ModelConfig;
  readonly #unknown: number | undefined;
  readonly #cache = new WordCache();

  constructor(
    config: ModelConfig,
    vocabulary: ReadonlyMap<string, number>,
    tokens: readonly string[],
    byteLevel: boolean,
  ) {
    this.#config = config;
    this.#vocabulary = vocabulary;
    this.#byteLevel = byteLevel;
    this.#byteIds = byteLevel ? byteLevelIds(vocabulary) : fallbackIds(vocabulary);
    this.#merges = readMerges(config, vocabulary, tokens);
    this.#unknown = config.unk_token == null ? undefined : vocabulary.get(config.unk_token);
  }

  encode(word: string, ids: number[]): void {
    const known = this.#cache.get(word);
    if (known) {
      for (let i = 0; i < known.length; i++) ids.push(known[i]);
      return;
    }
    const symbols = this.#wholeWord(word) ?? this.#merge(this.#symbols(word));
    this.#cache.add(word, symbols);
    for (let i = 0; i < symbols.length; i++) ids.push(symbols[i]);
  }

  #wholeWord(word: string): Int32Array | undefined {
    if (!this.#config.ignore_merges) return undefined;
    const id = this.#vocabulary.get(this.#byteLevel ? toByteLevel(word) : word);
    return id === undefined ? undefined : Int32Array.of(id);
  }

  #symbols(word: string): Int32Array {
    if (this.#byteLevel) return this.#ofBytes(Buffer.from(word, "utf8"));
    const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix } = this.#config;
    const ids: number[] = [];
    let wasUnknown = false;
    let position = 0;
    for (const char of word) {
      let symbol = char;
      if (prefix && position > 0) symbol = prefix + symbol;
      position += char.length;
      if (suffix && position === word.length) symbol += suffix;
      const id = this.#vocabulary.get(symbol);
      if (id !== undefined) {
        ids.push(id);
        wasUnknown = false;
        continue;
      }
      const bytes = this.#config.byte_fallback ? this.#ofBytes(Buffer.from(symbol, "utf8")) : [];
      if (bytes.length > 0) {
        ids.push(...bytes);
        wasUnknown = false;
      } else if (this.#unknown !== undefined && !(wasUnknown && this.#config.fuse_unk)) {
        ids.push(this.#unknown);
        wasUnknown = true;
      }
    }
    return Int32Array.from(ids);
  }

  /** Ids of bytes. A byte-level vocabulary drops bytes it lacks; a byte fallback has all bytes of a symbol or none. */
  #ofBytes(bytes: Uint8Array): Int32Array {
    const ids = new Int32Array(bytes.length);
    let length = 0;
    for (let i = 0; i < bytes.length; i++) {
      let id = this.#byteIds[bytes[i]];
      if (id < 0 && !this.#byteLevel) return ids.subarray(0, 0);
      if (id < 0) id = this.#unknown ?? -1;
      if (id >= 0) ids[length++] = id;
    }
    return ids.subarray(0, length);
  }

  #merge(symbols: Int32Array): Int32Array {
    if (symbols.length < 2) return symbols;
    return symbols.length <= SHORT_WORD ? this.#mergeShort(symbols) : this.#mergeLong(symbols);
  }

  #mergeShort(symbols: Int32Array): Int32Array {
    const merges = this.#merges;
    const slots = new Int32Array(symbols.length);
    let length = symbols.length;
    for (let i = 0; i + 1 < length; i++) slots[i] = merges.find(symbols[i], symbols[i + 1]);
    while (length > 1) {
      let best = -1;
      let bestRank = Number.POSITIVE_INFINITY;
      for (let i = 0; i + 1 < length; i++) {
        if (slots[i] >= 0 && merges.rank[slots[i]] < bestRank) {
          best = i;
          bestRank = merges.rank[slots[i]];
        }
      }
      if (best < 0) break;
      symbols[best] = merges.merged[slots[best]];
      symbols.copyWithin(best + 1, best + 2, length);
      slots.copyWithin(best + 1, best + 2, length);
      length--;
      if (best > 0) slots[best - 1] = merges.find(symbols[best - 1], symbols[best]);
      if (best + 1 < length) slots[best] = merges.find(symbols[best], symbols[best + 1]);
    }
    return symbols.slice(0, length);
  }

  /** The same in O(n log n): a linked list of symbols and a heap of (rank, position); stale entries are skipped. */
  #mergeLong(symbols: Int32Array): Int32Array {
    const merges = this.#merges;
    const count = symbols.length;
    const next = Int32Array.from({ length: count }, (_, i) => i + 1);
    const previous = Int32Array.from({ length: count }, (_, i) => i - 1);
    const heap = new NumberHeap();
    const offer = (at: number) => {
      const slot = next[at] < count ? merges.find(symbols[at], symbols[next[at]]) : -1;
      if (slot >= 0) heap.push(merges.rank[slot] * POSITION_RANGE + at);
    };
    for (let i = 0; i + 1 < count; i++) offer(i);
    while (heap.size > 0) {
      const entry = heap.pop();
      const at = entry % POSITION_RANGE;
      const right = next[at];
      if (symbols[at] < 0 || right >= count) continue;
      const slot = merges.find(symbols[at], symbols[right]);
      if (slot < 0 || merges.rank[slot] !== Math.floor(entry / POSITION_RANGE)) continue;
      symbols[at] = merges.merged[slot];
      symbols[right] = -1;
      next[at] = next[right];
      if (next[at] < count) previous[next[at]] = at;
      offer(at);
      if (previous[at] >= 0) offer(previous[at]);
    }
    return symbols.filter((symbol) => symbol >= 0);
  }
}

/** Open addressing over typed arrays: pair of ids -> slot of its rank and of the id that it becomes. */
class MergeTable {
  readonly rank: Int32Array;
  readonly merged: Int32Array;
  readonly #left: Int32Array;
  readonly #right: Int32Array;
  readonly #mask: number;

  constructor(count: number) {
    const capacity = 2 ** Math.ceil(Math.log2(Math.max(2, count * 1.5)));
    this.#mask = capacity - 1;
    this.rank = new Int32Array(capacity);
    this.merged = new Int32Array(capacity);
    this.#left = new Int32Array(capacity).fill(-1);
    this.#right = new Int32Array(capacity);
  }

  add(left: number, right: number, rank: number, merged: number): void {
    const slot = this.#probe(left, right);
    this.#left[slot] = left;
    this.#right[slot] = right;
    this.rank[slot] = rank;
    this.merged[slot] = merged;
  }

  find(left: number, right: number): number {
    const slot = this.#probe(left, right);
    return this.#left[slot] < 0 ? -1 : slot;
  }

  #probe(left: number, right: number): number {
    const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
    let slot = (hash ^ (hash >>> 15)) & this.#mask;
    while (this.#left[slot] >= 0 && (this.#left[slot] !== left || this.#right[slot] !== right)) {
      slot = (slot + 1) & this.#mask;
    }
    return slot;
  }
}

class NumberHeap {
  readonly #items: number[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(value: number): void {
    const items = this.#items;
    let at = items.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent] <= value) break;
      items[at] = items[parent];
      at = parent;
    }
    items[at] = value;
  }

  pop(): number {
    const items = this.#items;
    const top = items[0];
    const last = items.pop()!;
    if (items.length === 0) return top;
    let at = 0;
    for (let child = 1; child < items.length; child = 2 * at + 1) {
      if (child + 1 < items.length && items[child + 1] < items[child]) child++;
      if (items[child] >= last) break;
      items[at] = items[child];
      at = child;
    }
    items[at] = last;
    return top;
  }
}

function readMerges(
  config: ModelConfig,
  vocabulary: ReadonlyMap<string, number>,
  tokens: readonly string[],
): MergeTable {
  const merges = config.merges ?? [];
  const prefix = config.continuing_subword_prefix?.length ?? 0;
  const table = new MergeTable(merges.length);
  let merged: number | undefined = -1;
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank];
    const space = typeof merge === "string" ? merge.indexOf(" ", 1) : 0;
    const left = typeof merge === "string" ? merge.slice(0, space) : merge[0];
    const right = typeof merge === "string" ? merge.slice(space + 1) : merge[1];
    const end = prefix > 0 ? right.slice(prefix) : right;
    // Trained vocabularies number their tokens in the order of the merges: look there before joining the strings.
    const next: string | undefined = tokens[merged + 1];
    const follows: boolean =
      next?.length === left.length + end.length && next.startsWith(left) && next.endsWith(end);
    merged = follows ? merged + 1 : vocabulary.get(left + end);
    const leftId = vocabulary.get(left);
    const rightId = vocabulary.get(right);
    if (leftId === undefined || rightId === undefined || merged === undefined) {
      throw new HfmsError(
        "corrupt_file",
        `merge ${rank} of the tokenizer, "${left} ${right}", is not in its vocabulary`,
      );
    }
    table.add(leftId, rightId, rank, merged);
  }
  return table;
}

function byteLevelIds(vocabulary: ReadonlyMap<string, number>): Int32Array {
  return byteTable((byte) => vocabulary.get(byteToChar[byte]));
}

function fallbackIds(vocabulary: ReadonlyMap<string, number>): Int32Array {
  return byteTable((byte) => vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`));
}

function byteTable(idOf: (byte: number) => number | undefined): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => idOf(byte) ?? -1);
}

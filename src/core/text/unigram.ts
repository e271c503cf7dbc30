import { HfmsError } from "../errors.js";
import type { ModelConfig, TokenModel } from "./types.js";
import { WordCache } from "./word-cache.js";

/** What huggingface/tokenizers takes off the lowest score for a character that no token covers. */
const UNKNOWN_PENALTY = 10;

/** SentencePiece's Unigram: the segmentation with the highest sum of scores (Viterbi over code points). */
export class UnigramModel implements TokenModel {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #scores: Float64Array;
  readonly #unknown: number;
  readonly #unknownScore: number;
  readonly #byteFallback: boolean;
  readonly #longestToken: number;
  readonly #cache = new WordCache();

  constructor(config: ModelConfig, vocabulary: ReadonlyMap<string, number>) {
    const entries = config.vocab as [string, number][];
    this.#vocabulary = vocabulary;
    this.#scores = Float64Array.from(entries, ([, score]) => score);
    this.#unknown = config.unk_id ?? -1;
    let lowest = Number.POSITIVE_INFINITY;
    let longest = 1;
    for (const [token, score] of entries) {
      lowest = Math.min(lowest, score);
      longest = Math.max(longest, token.length);
    }
    this.#unknownScore = lowest - UNKNOWN_PENALTY;
    this.#longestToken = longest;
    this.#byteFallback = config.byte_fallback ?? false;
  }

  encode(word: string, ids: number[]): void {
    let pieces = this.#cache.get(word);
    if (!pieces) {
      pieces = this.#segment(word);
      this.#cache.add(word, pieces);
    }
    for (let i = 0; i < pieces.length; i++) ids.push(pieces[i]);
  }

  #segment(word: string): Int32Array {
    const length = word.length;
    const best = new Float64Array(length + 1).fill(Number.NEGATIVE_INFINITY);
    const from = new Int32Array(length + 1);
    const token = new Int32Array(length + 1);
    best[0] = 0;
    for (let start = 0; start < length; ) {
      const width = (word.codePointAt(start) ?? 0) > 0xffff ? 2 : 1;
      let single = false;
      const limit = Math.min(length, start + this.#longestToken);
      for (let end = start + width; end <= limit; end++) {
        const id = this.#vocabulary.get(word.slice(start, end));
        if (id === undefined || id >= this.#scores.length) continue;
        if (end === start + width) single = true;
        const score = best[start] + this.#scores[id];
        if (score > best[end]) {
          best[end] = score;
          from[end] = start;
          token[end] = id;
        }
      }
      const next = start + width;
      if (!single && best[start] + this.#unknownScore > best[next]) {
        best[next] = best[start] + this.#unknownScore;
        from[next] = start;
        token[next] = this.#unknown;
      }
      start = next;
    }
    return this.#collect(word, from, token);
  }

  /** Walks the best path back; neighbouring unknown characters become one unknown token, or their bytes. */
  #collect(word: string, from: Int32Array, token: Int32Array): Int32Array {
    const reversed: number[] = [];
    for (let end = word.length; end > 0; ) {
      let start = from[end];
      const id = token[end];
      if (id === this.#unknown) {
        while (start > 0 && token[start] === this.#unknown) start = from[start];
        reversed.push(...this.#unknownIds(word.slice(start, end)).reverse());
      } else {
        reversed.push(id);
      }
      end = start;
    }
    return Int32Array.from(reversed.reverse());
  }

  #unknownIds(text: string): number[] {
    if (this.#byteFallback) {
      const bytes = [...Buffer.from(text, "utf8")].map((byte) =>
        this.#vocabulary.get(`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`),
      );
      if (bytes.every((id) => id !== undefined)) return bytes;
    }
    if (this.#unknown < 0) {
      throw new HfmsError("invalid_request", `the tokenizer has no token for "${text}" and no unknown token`);
    }
    return [this.#unknown];
  }
}

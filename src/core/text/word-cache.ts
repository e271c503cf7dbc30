/** Words longer than this are rare and would fill the cache with text that never comes again. */
const MAX_WORD_LENGTH = 48;

/** About 5 MB when full. */
const MAX_WORDS = 32_768;

/** Ids of words seen before. It forgets everything when it is full: cheaper than order, and natural text refills it. */
export class WordCache {
  readonly #words = new Map<string, Int32Array>();

  get(word: string): Int32Array | undefined {
    return word.length > MAX_WORD_LENGTH ? undefined : this.#words.get(word);
  }

  add(word: string, ids: Int32Array): void {
    if (word.length > MAX_WORD_LENGTH) return;
    if (this.#words.size >= MAX_WORDS) this.#words.clear();
    this.#words.set(word, ids);
  }
}

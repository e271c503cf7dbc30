/** The shortest ending that is looked up, in tokens. */
const SHORTEST = 2;
/** Earlier places that are compared, newest first. */
const CANDIDATES = 8;
/** Beyond this many tokens a longer match says nothing more. */
const LONGEST = 32;

/** Where the ending of a growing text stood before: prompt lookup (Saxena 2023). Each token costs the same. */
export class NgramIndex {
  /** Positions behind each pair of tokens, oldest first. */
  readonly #places = new Map<number, number[]>();
  #indexed = 0;

  /**
   * What followed the longest earlier place that ends like the tokens now, up to `most` tokens, and how many tokens
   * were alike. Tokens may only be appended between calls.
   */
  lookup(tokens: readonly number[], most: number): { draft: number[]; matched: number } {
    for (; this.#indexed < tokens.length; this.#indexed++) this.#add(tokens, this.#indexed);
    let best = { place: -1, matched: 0 };
    const places = this.#places.get(keyAt(tokens, tokens.length)) ?? [];
    for (let i = places.length - 1, tried = 0; i >= 0 && tried < CANDIDATES; i--, tried++) {
      const place = places[i];
      if (place === tokens.length) continue;
      const matched = alike(tokens, place, tokens.length);
      if (matched > best.matched) best = { place, matched };
    }
    if (best.place < 0) return { draft: [], matched: 0 };
    const draft: number[] = [];
    // A text that repeats itself goes on repeating: behind the end follows what was drafted already.
    for (let i = best.place; draft.length < most; i++) {
      draft.push(i < tokens.length ? tokens[i] : draft[i - tokens.length]);
    }
    return { draft, matched: best.matched };
  }

  #add(tokens: readonly number[], last: number): void {
    if (last + 1 < SHORTEST) return;
    const key = keyAt(tokens, last + 1);
    const places = this.#places.get(key);
    if (places) places.push(last + 1);
    else this.#places.set(key, [last + 1]);
  }
}

/** The pair of tokens before a position, as a number: ids are below 2^26. */
function keyAt(tokens: readonly number[], end: number): number {
  return end < SHORTEST ? -1 : tokens[end - 2] * 2 ** 26 + tokens[end - 1];
}

function alike(tokens: readonly number[], a: number, b: number): number {
  let count = 0;
  while (count < LONGEST && count < a && tokens[a - 1 - count] === tokens[b - 1 - count]) count++;
  return count;
}

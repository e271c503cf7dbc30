import { NgramIndex } from "./ngram-index.js";

/** Guesses in one run; what a run of more costs, it does not gain. */
const MOST_GUESSES = 32;
/** A guess must promise this much more tokens a second than none. */
const WORTH = 1.05;
/** Once in so many steps a guess is tried although the last ones failed: texts change. */
const RETRY_STEPS = 48;
const RETRY_GUESSES = 2;
/** Share of what was known that a new observation replaces. */
const FORGET = 0.15;
/** What a further token in a run costs at first, as a share of a run of one. */
const FIRST_SHARE = 0.35;

/** How long runs of one and of several tokens take, measured as they come. */
export class RunCosts {
  #single = 0;
  #share = FIRST_SHARE;

  /** A run of `width` tokens took so many milliseconds. */
  ran(width: number, ms: number): void {
    if (width === 1) this.#single += (this.#single === 0 ? 1 : FORGET) * (ms - this.#single);
    else if (this.#single > 0) {
      const share = (ms / this.#single - 1) / (width - 1);
      // A run that was disturbed says little: no more than a single token's own run is believed.
      this.#share += FORGET * (Math.min(1, Math.max(0.02, share)) - this.#share);
    }
  }

  /** Cost of a run with this many guesses, in runs of one token. */
  of(guesses: number): number {
    return 1 + this.#share * guesses;
  }
}

/**
 * Decides for one sequence how many guesses of prompt lookup to check in a run (Leviathan et al. 2023 give the expected
 * number of accepted ones). The chance that a guess holds is learned, apart for short and long matches.
 */
export class Speculator {
  readonly #costs: RunCosts;
  readonly #index = new NgramIndex();
  /** Chance that one more guess holds, by the length of the match. */
  readonly #chances = [0.3, 0.5, 0.7, 0.85, 0.95];
  #kind = 0;
  #quiet = 0;

  constructor(costs: RunCosts) {
    this.#costs = costs;
  }

  /** Tokens that are likely to follow, at most `most`; none where checking them would not pay. */
  draft(tokens: readonly number[], most: number): readonly number[] {
    const { draft, matched } = this.#index.lookup(tokens, Math.min(most, MOST_GUESSES));
    if (draft.length === 0) return draft;
    this.#kind = Math.min(this.#chances.length - 1, Math.floor(Math.log2(matched)) - 1);
    let count = this.#best(draft.length);
    if (count === 0 && ++this.#quiet >= RETRY_STEPS && matched > 3)
      count = Math.min(RETRY_GUESSES, draft.length);
    if (count > 0) this.#quiet = 0;
    return draft.slice(0, count);
  }

  /** Of `drafted` guesses the first `held` were right. */
  learn(drafted: number, held: number): void {
    if (drafted === 0) return;
    const tried = Math.min(drafted, held + 1);
    // Each guess that was looked at counts once.
    const keep = (1 - FORGET) ** tried;
    this.#chances[this.#kind] = this.#chances[this.#kind] * keep + (held / tried) * (1 - keep);
  }

  #best(most: number): number {
    const chance = Math.min(0.99, this.#chances[this.#kind]);
    let [best, count] = [WORTH, 0];
    for (let guesses = 1, expected = 1, power = 1; guesses <= most; guesses++) {
      power *= chance;
      expected += power;
      const gain = expected / this.#costs.of(guesses);
      if (gain > best) [best, count] = [gain, guesses];
    }
    return count;
  }
}

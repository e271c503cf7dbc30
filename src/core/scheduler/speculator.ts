import { learned, type RunCosts } from "./guess-costs.js";
import { NgramIndex } from "./ngram-index.js";

/** Guesses in one run; what a run of more costs, it does not gain. */
const MOST_GUESSES = 64;
/** Once in so many steps a guess is tried although the last ones failed: texts change. */
const RETRY_STEPS = 48;
const RETRY_GUESSES = 2;

/** Proposes tokens that may follow a sequence. One for each sequence; tokens are only ever appended. */
export interface Drafter {
  /** At most `most` tokens; none where checking them would not pay. */
  draft(tokens: readonly number[], most: number): readonly number[] | Promise<readonly number[]>;
  /** Of `drafted` guesses the first `held` were right. */
  learn(drafted: number, held: number): void;
  [Symbol.asyncDispose]?(): Promise<void>;
}

/**
 * Decides for one sequence how many guesses of prompt lookup to check in a run. The chance that a guess holds is learned,
 * apart for short and long matches.
 */
export class Speculator implements Drafter {
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
    let count = this.#costs.best(this.#chances[this.#kind], draft.length);
    if (count === 0 && ++this.#quiet >= RETRY_STEPS && matched > 3)
      count = Math.min(RETRY_GUESSES, draft.length);
    if (count > 0) this.#quiet = 0;
    return draft.slice(0, count);
  }

  /** Of `drafted` guesses the first `held` were right. */
  learn(drafted: number, held: number): void {
    if (drafted === 0) return;
    this.#chances[this.#kind] = learned(this.#chances[this.#kind], drafted, held);
  }
}

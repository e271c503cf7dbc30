/** A guess must promise this much more tokens a second than none. */
const WORTH = 1.05;
/** Share of what was known that a new observation replaces. */
const FORGET = 0.15;
/** What a further token in a run costs at first, as a share of a run of one. */
const FIRST_SHARE = 0.35;
/** Nothing is certain: a chance of one would hide what a wrong guess costs. */
const MOST_CHANCE = 0.99;

/** How long runs of one and of several tokens take, measured as they come, and how many guesses pay. */
export class RunCosts {
  /** Milliseconds of a run of one token; 0 before the first. */
  single = 0;
  #share = FIRST_SHARE;

  /** A run of `width` tokens took so many milliseconds. */
  ran(width: number, ms: number): void {
    if (width === 1) this.single += (this.single === 0 ? 1 : FORGET) * (ms - this.single);
    else if (this.single > 0) {
      const share = (ms / this.single - 1) / (width - 1);
      // A run that was disturbed says little: no more than a single token's own run is believed.
      this.#share += FORGET * (Math.min(1, Math.max(0.02, share)) - this.#share);
    }
  }

  /** Cost of a run with this many guesses, in runs of one token. */
  of(guesses: number): number {
    return 1 + this.#share * guesses;
  }

  /**
   * How many guesses give the most tokens a second, 0 to `most`, where each holds with this chance if the one before it
   * did (Leviathan et al. 2023). `perGuess` is what making one costs, in runs of one token.
   */
  best(chance: number, most: number, perGuess = 0): number {
    const holds = Math.min(MOST_CHANCE, chance);
    let [best, count] = [WORTH, 0];
    for (let guesses = 1, expected = 1, power = 1; guesses <= most; guesses++) {
      power *= holds;
      expected += power;
      const gain = expected / (this.of(guesses) + perGuess * guesses);
      if (gain > best) [best, count] = [gain, guesses];
    }
    return count;
  }
}

/** The chance that a guess holds, after of `drafted` ones the first `held` did: each that was looked at counts once. */
export function learned(chance: number, drafted: number, held: number): number {
  const tried = Math.min(drafted, held + 1);
  const keep = (1 - FORGET) ** tried;
  return chance * keep + (held / tried) * (1 - keep);
}

import type { SamplingParams } from "../requests.js";
import { exponential, LEAST_EXPONENT } from "./exponential.js";
import { inverseOf, LogitBlocks, type Weighing } from "./logit-blocks.js";
import { type Border, borderOf } from "./selection.js";

export type Filters = Required<Pick<SamplingParams, "temperature" | "topK" | "typicalP" | "topP" | "minP">>;

/** Tokens e^-30 times less likely than the best are never drawn in a lifetime; leaving them out keeps a step short. */
const NEGLIGIBLE = 30;
/**
 * How far from its centre a filter looks for its tokens at first, and how much farther each time, in units of log
 * probability: the number of tokens grows fast with the distance, so small strides cost less than one that is too long.
 */
const NEAR = 4;
const STRIDE = 2;

/**
 * Draws tokens. A filter finds its border and passes over the candidates once; nothing is sorted as a whole, so that the
 * cost hardly depends on how flat a distribution is. Holds 20 bytes a token of the vocabulary, as scratch.
 */
export class Candidates {
  readonly #blocks = new LogitBlocks();
  /** The tokens that are left, in the order of their ids. */
  #size = 0;
  #ids = new Int32Array(0);
  /** What the next filter orders by, smallest first; ties go to the lower id. */
  #keys = new Float64Array(0);
  /** Probability beside the best token's: e^((logit - best) / temperature). */
  #weights = new Float64Array(0);
  /** The sum of the weights. */
  #total = 0;

  /**
   * Draws from logits [vocabulary] with temperature > 0, of the tokens that the filters leave; each one's share is of
   * what those before it left. -1 where no logit is above -Infinity.
   * @param chance in [0, 1): the same number falls on the same token
   */
  draw(logits: Float32Array, filters: Filters, chance: number): number {
    const { temperature, topK, typicalP, topP, minP } = filters;
    const blocks = this.#read(logits);
    const best = logits[blocks.best];
    // What overflowed is certain.
    if (blocks.best < 0 || best === Infinity) return blocks.best;
    const row = { best, temperature, floor: best - NEGLIGIBLE * temperature };
    if (topK > 0) {
      this.#gather(logits, { low: Math.max(row.floor, blocks.floorOf(topK)) });
      this.#keep(borderOf(this.#keys, this.#size, topK));
      this.#weigh(row);
      if (typicalP < 1) this.#keepTypical(row, typicalP * this.#total, this.#meanScore(row));
      if (topP < 1) this.#keepNucleus(topP * this.#total);
    } else if (typicalP < 1) {
      const { total, mean } = blocks.weigh(logits, row);
      this.#gatherMass(logits, row, { target: typicalP * total, mean });
      this.#keepTypical(row, typicalP * total, mean);
      if (topP < 1) this.#keepNucleus(topP * this.#total);
    } else if (topP < 1) {
      const { total } = blocks.weigh(logits, row);
      this.#gatherMass(logits, row, { target: topP * total });
      this.#keepNucleus(topP * total);
    } else if (minP > 0) {
      // A little lower than asked: the filter itself decides, on weights.
      this.#gather(logits, { low: Math.max(row.floor, best + (Math.log(minP) - 1e-6) * temperature) });
      this.#weigh(row);
    } else {
      blocks.weigh(logits, row);
      return blocks.draw(logits, chance, row);
    }
    if (minP > 0) this.#dropUnlikely(minP);
    return this.#pick(chance);
  }

  /**
   * The logarithm of the sum of e^(logit - best), and the k largest logits, best first, of equals the lower id. Only
   * those above -Infinity. Undefined where there is none.
   */
  overview(
    logits: Float32Array,
    k: number,
  ): { best: number; logSum: number; top: { token: number; logit: number }[] } | undefined {
    const blocks = this.#read(logits);
    if (blocks.best < 0) return undefined;
    const best = logits[blocks.best];
    const row = { best, temperature: 1, floor: best + LEAST_EXPONENT };
    const logSum = best === Infinity ? 0 : Math.log(blocks.weigh(logits, row).total);
    if (k === 0) return { best, logSum, top: [] };
    this.#gather(logits, { low: blocks.floorOf(k) });
    this.#keep(borderOf(this.#keys, this.#size, k));
    const top = Array.from(this.#ids.subarray(0, this.#size), (token) => ({ token, logit: logits[token] }));
    return { best, logSum, top: top.sort((a, b) => b.logit - a.logit || a.token - b.token) };
  }

  #read(logits: Float32Array): LogitBlocks {
    if (this.#ids.length < logits.length) {
      this.#ids = new Int32Array(logits.length);
      this.#keys = new Float64Array(logits.length);
      this.#weights = new Float64Array(logits.length);
    }
    this.#blocks.read(logits);
    return this.#blocks;
  }

  /** Tokens with logits of a range; -logit is their key. */
  #gather(logits: Float32Array, { low, high = Infinity }: { low: number; high?: number }): void {
    this.#size = this.#blocks.gather(logits, { low, high, ids: this.#ids, keys: this.#keys });
  }

  /** Tokens around the mean score, or else the best ones, that have a mass together; or all that are not negligible. */
  #gatherMass(
    logits: Float32Array,
    row: Weighing,
    { target, mean }: { target: number; mean?: number },
  ): void {
    const { best, temperature, floor } = row;
    for (let near = NEAR; ; near += STRIDE) {
      const low = Math.max(floor, best + ((mean ?? 0) - near) * temperature);
      this.#gather(logits, { low, high: mean === undefined ? Infinity : best + (mean + near) * temperature });
      this.#weigh(row);
      if (this.#total >= target || near >= NEGLIGIBLE) return;
    }
  }

  /** While the keys are -logit. */
  #weigh({ best, temperature }: Weighing): void {
    const [keys, weights] = [this.#keys, this.#weights];
    const inverse = inverseOf(temperature);
    let total = 0;
    for (let i = 0; i < this.#size; i++) {
      const weight = exponential((-keys[i] - best) * inverse);
      weights[i] = weight;
      total += weight;
    }
    this.#total = total;
  }

  /** The weighted mean of the weights' logarithms, while the keys are -logit. */
  #meanScore({ best, temperature }: Weighing): number {
    const [keys, weights] = [this.#keys, this.#weights];
    const inverse = inverseOf(temperature);
    let moment = 0;
    for (let i = 0; i < this.#size; i++) moment += weights[i] * ((-keys[i] - best) * inverse);
    return moment / this.#total;
  }

  /** Keeps the tokens whose surprise is nearest to the expected one, up to a mass (Meister et al. 2022). */
  #keepTypical({ best, temperature }: Weighing, target: number, mean: number): void {
    const [keys, weights] = [this.#keys, this.#weights];
    const inverse = inverseOf(temperature);
    // A token's surprise is a constant less its score, so the distance from the expected one is that of the scores.
    for (let i = 0; i < this.#size; i++) keys[i] = Math.abs((-keys[i] - best) * inverse - mean);
    this.#keep(borderOf(keys, this.#size, target, weights));
    // Back to an order by probability.
    for (let i = 0; i < this.#size; i++) keys[i] = -weights[i];
  }

  /** Keeps the likeliest tokens up to a mass. */
  #keepNucleus(target: number): void {
    this.#keep(borderOf(this.#keys, this.#size, target, this.#weights));
  }

  /** Drops the tokens less likely than `share` × the likeliest. */
  #dropUnlikely(share: number): void {
    const [weights, ids] = [this.#weights, this.#ids];
    let most = 0;
    for (let i = 0; i < this.#size; i++) if (weights[i] > most) most = weights[i];
    let kept = 0;
    let total = 0;
    for (let i = 0; i < this.#size; i++) {
      const weight = weights[i];
      if (!(weight >= share * most)) continue;
      ids[kept] = ids[i];
      weights[kept++] = weight;
      total += weight;
    }
    this.#size = kept;
    this.#total = total;
  }

  #keep({ key, index }: Border): void {
    const [keys, weights, ids] = [this.#keys, this.#weights, this.#ids];
    let kept = 0;
    let total = 0;
    for (let i = 0; i < this.#size; i++) {
      if (!(keys[i] < key || (keys[i] === key && i <= index))) continue;
      ids[kept] = ids[i];
      keys[kept] = keys[i];
      weights[kept++] = weights[i];
      total += weights[i];
    }
    this.#size = kept;
    this.#total = total;
  }

  #pick(chance: number): number {
    let remaining = chance * this.#total;
    for (let i = 0; i < this.#size; i++) {
      remaining -= this.#weights[i];
      if (remaining < 0) return this.#ids[i];
    }
    // Rounding left a little.
    return this.#ids[this.#size - 1];
  }
}

/**
 * Scratch for all samplers of a process: nothing in it outlives a call, calls can't overlap since none waits, and forty
 * streams of a large vocabulary would else hold 120 MB, each out of the processor's cache.
 */
export const candidates = new Candidates();

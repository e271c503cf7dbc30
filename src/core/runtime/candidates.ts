import { exponential } from "./exponential.js";
import { BLOCK, blockMaxima } from "./largest-logits.js";
import { type Border, borderOf } from "./selection.js";

/** Tokens e^-30 times less likely than the best are never drawn in a lifetime; leaving them out keeps a step short. */
const NEGLIGIBLE = 30;
/** -Infinity is no candidate, whatever the floor. */
const LOWEST = -Number.MAX_VALUE;

/**
 * The tokens that may be drawn, in the order of their ids. A filter takes some away; its share is of what the ones
 * before it have left. Nothing is sorted as a whole: a filter finds its border and passes over the tokens once, so that
 * the cost hardly depends on how flat a distribution is. Holds 20 bytes a token of the vocabulary.
 */
export class Candidates {
  #size = 0;
  /** Sum of the weights. */
  #total = 0;
  #best = 0;
  #temperature = 1;
  #ids = new Int32Array(0);
  /** What a filter orders by, smallest first: -logit at the start. */
  #keys = new Float64Array(0);
  /** Probability beside the best token's: e^((logit - best) / temperature). */
  #weights = new Float64Array(0);
  #maxima = new Float32Array(0);
  #sorted = new Float32Array(0);

  /**
   * Starts with the tokens of a row that are not negligible, or the `topK` likeliest of them.
   * @param best the largest logit, finite
   * @param topK 0 keeps all
   * @param least tokens less likely than this × the best may be left out
   */
  take(
    logits: Float32Array,
    { best, temperature, topK, least }: { best: number; temperature: number; topK: number; least: number },
  ): void {
    this.#best = best;
    this.#temperature = temperature;
    // A little lower than asked: the filter itself decides, on weights.
    const span = least > 0 ? Math.max(-NEGLIGIBLE, Math.log(least) - 1e-6) : -NEGLIGIBLE;
    this.#gather(logits, best + span * temperature, topK);
    this.#weigh();
  }

  /** The k largest logits of a row, best first, of equals the lower id. Fewer where others are NaN or -Infinity. */
  largest(logits: Float32Array, k: number): { token: number; logit: number }[] {
    if (k === 0) return [];
    this.#gather(logits, LOWEST, k);
    const tokens = Array.from(this.#ids.subarray(0, this.#size), (token) => ({
      token,
      logit: logits[token],
    }));
    return tokens.sort((a, b) => b.logit - a.logit || a.token - b.token);
  }

  /** Keeps the tokens whose surprise is nearest to the expected one, up to a share of the mass (Meister et al. 2022). */
  keepTypical(share: number): void {
    const [keys, weights] = [this.#keys, this.#weights];
    // The surprise of a token is log(total) - score: its distance from the expected one is that of the scores.
    let mean = 0;
    for (let i = 0; i < this.#size; i++) mean += weights[i] * this.#score(i);
    mean /= this.#total;
    for (let i = 0; i < this.#size; i++) keys[i] = Math.abs(this.#score(i) - mean);
    this.#keep(borderOf(keys, this.#size, share * this.#total, weights));
    // Back to an order by probability.
    for (let i = 0; i < this.#size; i++) keys[i] = -weights[i];
  }

  /** Keeps the likeliest tokens up to a share of the mass. */
  keepNucleus(share: number): void {
    this.#keep(borderOf(this.#keys, this.#size, share * this.#total, this.#weights));
  }

  /** Drops the tokens less likely than `share` × the likeliest. */
  dropUnlikely(share: number): void {
    const [weights, ids] = [this.#weights, this.#ids];
    let most = 0;
    for (let i = 0; i < this.#size; i++) if (weights[i] > most) most = weights[i];
    const least = share * most;
    let kept = 0;
    let total = 0;
    for (let i = 0; i < this.#size; i++) {
      const weight = weights[i];
      if (!(weight >= least)) continue;
      ids[kept] = ids[i];
      weights[kept++] = weight;
      total += weight;
    }
    this.#size = kept;
    this.#total = total;
  }

  /** The token that a number in [0, 1) falls on. */
  draw(chance: number): number {
    const [weights, ids] = [this.#weights, this.#ids];
    let remaining = chance * this.#total;
    for (let i = 0; i < this.#size; i++) {
      remaining -= weights[i];
      if (remaining < 0) return ids[i];
    }
    return ids[this.#size - 1];
  }

  /** Tokens from a floor on, in the order of their ids; only the k largest where k > 0. */
  #gather(logits: Float32Array, floor: number, k: number): void {
    this.#reserve(logits);
    const [maxima, ids, keys] = [this.#maxima, this.#ids, this.#keys];
    blockMaxima(logits, maxima);
    let least = Math.max(floor, LOWEST);
    if (k > 0 && k <= maxima.length) {
      // k blocks have a largest logit from here on, so the k largest logits are not below it.
      this.#sorted.set(maxima);
      least = Math.max(least, this.#sorted.sort()[maxima.length - k]);
    }
    const { length } = logits;
    let size = 0;
    for (let block = 0; block < maxima.length; block++) {
      if (!(maxima[block] >= least)) continue;
      const end = Math.min(block * BLOCK + BLOCK, length);
      for (let token = block * BLOCK; token < end; token++) {
        const logit = logits[token];
        if (!(logit >= least)) continue;
        ids[size] = token;
        keys[size++] = -logit;
      }
    }
    this.#size = size;
    if (k > 0 && k < size) this.#keep(borderOf(keys, size, k));
  }

  #weigh(): void {
    let total = 0;
    for (let i = 0; i < this.#size; i++) {
      const weight = exponential(this.#score(i));
      this.#weights[i] = weight;
      total += weight;
    }
    this.#total = total;
  }

  /** Logarithm of the weight, while the key is still -logit. */
  #score(i: number): number {
    return (-this.#keys[i] - this.#best) / this.#temperature;
  }

  #keep(border: Border | undefined): void {
    if (border === undefined) return;
    const [keys, weights, ids] = [this.#keys, this.#weights, this.#ids];
    const { key, index } = border;
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

  #reserve(logits: Float32Array): void {
    const blocks = Math.ceil(logits.length / BLOCK);
    if (this.#ids.length < logits.length) {
      this.#ids = new Int32Array(logits.length);
      this.#keys = new Float64Array(logits.length);
      this.#weights = new Float64Array(logits.length);
    }
    if (this.#maxima.length !== blocks) {
      this.#maxima = new Float32Array(blocks);
      this.#sorted = new Float32Array(blocks);
    }
  }
}

/**
 * Scratch for all samplers of a process: nothing in it outlives a call, calls can't overlap since none waits, and forty
 * streams of a large vocabulary would else hold 120 MB, each out of the processor's cache.
 */
export const candidates = new Candidates();

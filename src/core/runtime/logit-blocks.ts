import { exponential } from "./exponential.js";
import { borderOf } from "./selection.js";

/** Logits in a block. */
const BLOCK = 64;
/** Below every float32 but -Infinity, which is never a candidate; and its opposite above every one but Infinity. */
const LOWEST = -1e300;

/** How probabilities are taken: e^((logit - best) / temperature) beside the best token's, and nothing below `floor`. */
export interface Weighing {
  best: number;
  temperature: number;
  /** A logit at most 64 temperatures below the best. */
  floor: number;
}

/**
 * What is known of the blocks of a row of logits [vocabulary]: the largest logit in each, and the sum of weights. So a
 * pass over the row can leave out the blocks that hold nothing it seeks. NaN is passed over.
 */
export class LogitBlocks {
  /** The first of the largest logits of the row; -1 where none is above -Infinity. */
  best = -1;
  #count = 0;
  #maxima = new Float64Array(0);
  #sums = new Float64Array(0);

  /** Reads a row; the other methods are of the row that was read last. */
  read(logits: Float32Array): void {
    const { length } = logits;
    this.#count = Math.ceil(length / BLOCK);
    if (this.#maxima.length < this.#count) {
      this.#maxima = new Float64Array(this.#count);
      this.#sums = new Float64Array(this.#count);
    }
    const maxima = this.#maxima;
    let most = -Infinity;
    let bestBlock = -1;
    for (let block = 0; block < this.#count; block++) {
      const end = Math.min(block * BLOCK + BLOCK, length);
      let largest = -Infinity;
      let i = block * BLOCK;
      // Four at a time: one branch that is hardly ever taken instead of four.
      for (; i + 3 < end; i += 4) {
        const a = logits[i];
        const b = logits[i + 1];
        const c = logits[i + 2];
        const d = logits[i + 3];
        if (a > largest || b > largest || c > largest || d > largest) {
          if (a > largest) largest = a;
          if (b > largest) largest = b;
          if (c > largest) largest = c;
          if (d > largest) largest = d;
        }
      }
      for (; i < end; i++) if (logits[i] > largest) largest = logits[i];
      maxima[block] = largest;
      if (largest > most) {
        most = largest;
        bestBlock = block;
      }
    }
    this.best = bestBlock < 0 ? -1 : logits.indexOf(most, bestBlock * BLOCK);
  }

  /** A logit that the k largest ones reach, and few others. */
  floorOf(k: number): number {
    // k blocks have a logit that is not below the k-th largest of the blocks' largest ones.
    if (k > this.#count) return LOWEST;
    const keys = this.#sums;
    for (let block = 0; block < this.#count; block++) keys[block] = keyOf(this.#maxima[block]);
    return Math.max(-borderOf(keys, this.#count, k).key, LOWEST);
  }

  /** Writes the tokens with logits from `low` to `high`, and -logit as their keys, in the order of ids; says how many. */
  gather(
    logits: Float32Array,
    { low, high, ids, keys }: { low: number; high: number; ids: Int32Array; keys: Float64Array },
  ): number {
    const { length } = logits;
    const maxima = this.#maxima;
    const least = Math.max(low, LOWEST);
    let size = 0;
    for (let block = 0; block < this.#count; block++) {
      if (!(maxima[block] >= least)) continue;
      const end = Math.min(block * BLOCK + BLOCK, length);
      for (let token = block * BLOCK; token < end; token++) {
        const logit = logits[token];
        if (!(logit >= least && logit <= high)) continue;
        ids[size] = token;
        keys[size++] = keyOf(logit);
      }
    }
    return size;
  }

  /** The sum of all weights, and the weighted mean of their logarithms. */
  weigh(logits: Float32Array, { best, temperature, floor }: Weighing): { total: number; mean: number } {
    const { length } = logits;
    const [maxima, sums] = [this.#maxima, this.#sums];
    const least = Math.max(floor, LOWEST);
    const inverse = inverseOf(temperature);
    let total = 0;
    let moment = 0;
    for (let block = 0; block < this.#count; block++) {
      let sum = 0;
      const end = maxima[block] >= least ? Math.min(block * BLOCK + BLOCK, length) : 0;
      for (let token = block * BLOCK; token < end; token++) {
        const logit = logits[token];
        if (!(logit >= least)) continue;
        const score = (logit - best) * inverse;
        const weight = exponential(score);
        sum += weight;
        moment += weight * score;
      }
      sums[block] = sum;
      total += sum;
    }
    return { total, mean: moment / total };
  }

  /** The token that a number in [0, 1) falls on; the weights are those of `weigh` before. */
  draw(logits: Float32Array, chance: number, { best, temperature, floor }: Weighing): number {
    const sums = this.#sums;
    const least = Math.max(floor, LOWEST);
    const inverse = inverseOf(temperature);
    let total = 0;
    for (let block = 0; block < this.#count; block++) total += sums[block];
    let remaining = chance * total;
    for (let block = 0; block < this.#count; block++) {
      if (remaining >= sums[block]) {
        remaining -= sums[block];
        continue;
      }
      const end = Math.min(block * BLOCK + BLOCK, logits.length);
      for (let token = block * BLOCK; token < end; token++) {
        if (!(logits[token] >= least)) continue;
        remaining -= exponential((logits[token] - best) * inverse);
        if (remaining < 0) return token;
      }
    }
    // Rounding left a little.
    return this.best;
  }
}

/** 1 / temperature; of the least temperatures only the best token is left, whose distance of 0 stays 0. */
export function inverseOf(temperature: number): number {
  return Math.min(1 / temperature, Number.MAX_VALUE);
}

/** The order of selections is that of finite keys, the smallest first. */
function keyOf(logit: number): number {
  return Math.max(LOWEST, Math.min(-logit, -LOWEST));
}

import { HfmsError } from "../errors.js";

/** The first of the largest. NaN never wins; a row without a number above -Infinity is an error of the model. */
export function argmax(logits: Float32Array): number {
  const best = indexOfLargest(logits);
  if (best < 0)
    throw new HfmsError("runtime_error", "the model's logits are NaN or -Infinity: no token is possible");
  return best;
}

/** As argmax; -1 where there is no number above -Infinity. */
export function indexOfLargest(logits: Float32Array): number {
  const { length } = logits;
  let best = -1;
  let value = -Infinity;
  // Four at a time: a vocabulary is scanned between two steps, and a branch for each entry takes twice as long.
  for (let i = 0; i < length; i += 4) {
    if (logits[i] > value || logits[i + 1] > value || logits[i + 2] > value || logits[i + 3] > value) {
      for (let j = i; j < i + 4 && j < length; j++) {
        if (logits[j] > value) {
          value = logits[j];
          best = j;
        }
      }
    }
  }
  return best;
}

/** Logits in a block. */
export const BLOCK = 64;

/**
 * The largest of each block of a row, in one pass over it: the others look only into the blocks that hold what they
 * seek. `maxima` has room for length / 64. -Infinity where a block holds nothing above it; NaN is passed over.
 */
export function blockMaxima(logits: Float32Array, maxima: Float32Array): void {
  const { length } = logits;
  let block = 0;
  for (let start = 0; start < length; start += BLOCK) {
    const end = Math.min(start + BLOCK, length);
    const whole = end - ((end - start) & 3);
    let largest = -Infinity;
    for (let i = start; i < whole; i += 4) {
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
    for (let i = whole; i < end; i++) if (logits[i] > largest) largest = logits[i];
    maxima[block++] = largest;
  }
}

import { HfmsError } from "../errors.js";

/** The first of the largest. NaN never wins; a row without a number above -Infinity is an error of the model. */
export function argmax(logits: Float32Array): number {
  const best = indexOfLargest(logits);
  if (best < 0) throw nothingPossible();
  return best;
}

export function nothingPossible(): HfmsError {
  return new HfmsError("runtime_error", "the model's logits are NaN or -Infinity: no token is possible");
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

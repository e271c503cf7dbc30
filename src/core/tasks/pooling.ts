import type { Pooling } from "../requests.js";

/** Pools the first `length` rows of token vectors [.., hidden] that start at `offset` into one vector [hidden]. */
export function pool(
  states: Float32Array,
  offset: number,
  length: number,
  hidden: number,
  pooling: Exclude<Pooling, "auto">,
): Float32Array {
  if (pooling !== "mean") {
    const start = offset + (pooling === "cls" ? 0 : (length - 1) * hidden);
    return states.slice(start, start + hidden);
  }
  const sums = new Float64Array(hidden);
  for (let t = 0; t < length; t++) {
    const row = offset + t * hidden;
    for (let i = 0; i < hidden; i++) sums[i] += states[row + i];
  }
  return Float32Array.from(sums, (sum) => sum / length);
}

/** Scales a vector to length 1, in place; a zero vector stays. Source: torch.nn.functional.normalize, eps 1e-12. */
export function normalize(vector: Float32Array): Float32Array {
  let squares = 0;
  for (const value of vector) squares += value * value;
  const norm = Math.max(Math.sqrt(squares), 1e-12);
  for (let i = 0; i < vector.length; i++) vector[i] /= norm;
  return vector;
}

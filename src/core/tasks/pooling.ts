import type { PoolingMode } from "../text/sentence-transformers.js";

/**
 * Pools the first `length` rows of token vectors [.., hidden] that start at `offset` into one vector: [hidden], or one
 * for each mode, side by side. Source: sentence-transformers, Pooling.
 */
export function pool(
  states: Float32Array,
  offset: number,
  length: number,
  hidden: number,
  modes: readonly PoolingMode[],
): Float32Array {
  if (modes.length === 1) return poolBy(modes[0], states, offset, length, hidden);
  const joined = new Float32Array(modes.length * hidden);
  for (const [i, mode] of modes.entries()) {
    joined.set(poolBy(mode, states, offset, length, hidden), i * hidden);
  }
  return joined;
}

function poolBy(
  mode: PoolingMode,
  states: Float32Array,
  offset: number,
  length: number,
  hidden: number,
): Float32Array {
  if (mode === "cls" || mode === "last") {
    const start = offset + (mode === "cls" ? 0 : (length - 1) * hidden);
    return states.slice(start, start + hidden);
  }
  if (mode === "max") {
    const largest = states.slice(offset, offset + hidden);
    for (let t = 1; t < length; t++) {
      const row = offset + t * hidden;
      for (let i = 0; i < hidden; i++) largest[i] = Math.max(largest[i], states[row + i]);
    }
    return largest;
  }
  const weighted = mode === "weightedmean";
  const sums = new Float64Array(hidden);
  for (let t = 0; t < length; t++) {
    const row = offset + t * hidden;
    const weight = weighted ? t + 1 : 1;
    for (let i = 0; i < hidden; i++) sums[i] += weight * states[row + i];
  }
  const divisor =
    mode === "mean" ? length : mode === "mean_sqrt_len" ? Math.sqrt(length) : (length * (length + 1)) / 2;
  return Float32Array.from(sums, (sum) => sum / divisor);
}

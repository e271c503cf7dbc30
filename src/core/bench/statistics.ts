/** What repeats of one measurement came to. */
export interface Summary {
  /** One number a repeat, in their order. */
  samples: number[];
  median: number;
  min: number;
  max: number;
  /** Median absolute deviation from the median, as a share of the median: half of the samples are nearer than this. */
  rel_mad: number;
}

/** Summarizes one number or more. */
export function summarize(samples: readonly number[]): Summary {
  const sorted = [...samples].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  const deviations = sorted.map((sample) => Math.abs(sample - median)).sort((a, b) => a - b);
  return {
    samples: [...samples],
    median,
    min: sorted[0],
    max: sorted[sorted.length - 1],
    rel_mad: median === 0 ? 0 : quantile(deviations, 0.5) / Math.abs(median),
  };
}

/** A percentile of one number or more; `share` is 0 to 1. */
export function percentile(samples: readonly number[], share: number): number {
  return quantile(
    [...samples].sort((a, b) => a - b),
    share,
  );
}

/** Linear between the two nearest ranks, as NumPy's default does (Hyndman and Fan's type 7). */
function quantile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) throw new RangeError("there is no percentile of nothing");
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  // Never a hair outside of the two: a percentile lies between the lowest and the highest sample.
  const between = sorted[low] + (sorted[high] - sorted[low]) * (at - low);
  return Math.min(Math.max(between, sorted[low]), sorted[high]);
}

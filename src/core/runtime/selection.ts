const BUCKETS = 1024;
/** So few are put in order one by one. */
const FEW = 32;

/** Where a selection ends: an item belongs to it when its key is below, or equal and its index not above. */
export interface Border {
  key: number;
  index: number;
}

/** Scratch of one call; calls can't overlap, since nothing here waits. */
const masses = new Float64Array(BUCKETS);
let scratch = new Int32Array(0);

/**
 * The border of the fewest items, smallest keys first and of equal ones the lower index, whose weights come to `target`
 * together, or all when they don't; each weighs 1 where no weights are given. Keys are finite.
 *
 * Three passes over the items whatever their order and number: a histogram over their range says in which bucket the
 * sum is reached, and then only that bucket is looked into, until few are left.
 */
export function borderOf(keys: Float64Array, size: number, target: number, weights?: Float64Array): Border {
  if (scratch.length < size) scratch = new Int32Array(keys.length);
  const items = scratch;
  for (let i = 0; i < size; i++) items[i] = i;
  let count = size;
  let reached = 0;
  while (count > FEW) {
    const { low, high } = rangeOf(keys, items, count);
    // Keys that are nearer to each other than this don't come from a model: they are equal.
    if (high - low < 1e-290) break;
    const scale = BUCKETS / (high - low);
    fillHistogram({ keys, items, count, low, scale, weights });
    let bucket = 0;
    while (bucket < BUCKETS && reached + masses[bucket] < target) reached += masses[bucket++];
    if (bucket === BUCKETS) return { key: high, index: size };
    let found = 0;
    for (let j = 0; j < count; j++) {
      const item = items[j];
      if (bucketOf(keys[item], low, scale) === bucket) items[found++] = item;
    }
    count = found;
  }
  return walk({ keys, items, count, target: target - reached, weights });
}

function rangeOf(keys: Float64Array, items: Int32Array, count: number): { low: number; high: number } {
  let low = Infinity;
  let high = -Infinity;
  for (let j = 0; j < count; j++) {
    const key = keys[items[j]];
    if (key < low) low = key;
    if (key > high) high = key;
  }
  return { low, high };
}

interface Items {
  keys: Float64Array;
  items: Int32Array;
  count: number;
  weights?: Float64Array;
}

function fillHistogram({
  keys,
  items,
  count,
  low,
  scale,
  weights,
}: Items & { low: number; scale: number }): void {
  const sums = masses.fill(0);
  for (let j = 0; j < count; j++) {
    const item = items[j];
    sums[bucketOf(keys[item], low, scale)] += weights === undefined ? 1 : weights[item];
  }
}

/** The smallest key is in the first bucket and the largest in the last, so that every round leaves fewer. */
function bucketOf(key: number, low: number, scale: number): number {
  const bucket = ((key - low) * scale) | 0;
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

/** Puts few items, or equal ones, in order and goes along them. */
function walk({ keys, items, count, target, weights }: Items & { target: number }): Border {
  for (let j = 1; j < count; j++) {
    const item = items[j];
    let place = j;
    for (; place > 0 && keys[items[place - 1]] > keys[item]; place--) items[place] = items[place - 1];
    items[place] = item;
  }
  let reached = 0;
  for (let j = 0; j < count; j++) {
    const index = items[j];
    reached += weights === undefined ? 1 : weights[index];
    if (reached >= target) return { key: keys[index], index };
  }
  // All of them, also where their sum in another order differs in the last digit and misses the target.
  const last = items[count - 1];
  return { key: count > 0 ? keys[last] : Infinity, index: last };
}

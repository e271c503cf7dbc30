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
const counts = new Int32Array(BUCKETS);
const few = new Int32Array(FEW);

/**
 * The border of the fewest items, smallest keys first and of equal ones the lower index, whose weights come to `target`
 * together; each weighs 1 where no weights are given. Undefined when all of them don't. Keys are finite.
 *
 * Takes a few passes over the items whatever their order and number: a histogram over their range says in which bucket
 * the sum is reached, and only that bucket is looked into, until few are left in it.
 */
export function borderOf(
  keys: Float64Array,
  size: number,
  target: number,
  weights?: Float64Array,
): Border | undefined {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < size; i++) {
    const key = keys[i];
    if (key < low) low = key;
    if (key > high) high = key;
  }
  let reached = 0;
  while (low < high) {
    const scale = BUCKETS / (high - low);
    // Nearer to each other than any two numbers of a model are.
    if (!(scale < 1e290)) break;
    fillHistogram(keys, size, { low, high, scale }, weights);
    let bucket = 0;
    while (bucket < BUCKETS && reached + masses[bucket] < target) reached += masses[bucket++];
    // Sums in another order may differ in the last digit and miss a target that is all there is.
    if (bucket === BUCKETS) return undefined;
    let first = Infinity;
    let last = -Infinity;
    const ordered = counts[bucket] <= FEW;
    let found = 0;
    for (let i = 0; i < size; i++) {
      const key = keys[i];
      if (!(key >= low && key <= high) || bucketOf(key, low, scale) !== bucket) continue;
      if (ordered) {
        let place = found++;
        for (; place > 0 && keys[few[place - 1]] > key; place--) few[place] = few[place - 1];
        few[place] = i;
      }
      if (key < first) first = key;
      if (key > last) last = key;
    }
    if (ordered) {
      for (let place = 0; place < found; place++) {
        const index = few[place];
        reached += weights === undefined ? 1 : weights[index];
        if (reached >= target || place === found - 1) return { key: keys[index], index };
      }
    }
    low = first;
    high = last;
  }
  // All that is left is equal.
  for (let i = 0; i < size; i++) {
    if (!(keys[i] >= low && keys[i] <= high)) continue;
    reached += weights === undefined ? 1 : weights[i];
    if (reached >= target) return { key: high, index: i };
  }
  return undefined;
}

interface Range {
  low: number;
  high: number;
  scale: number;
}

function fillHistogram(
  keys: Float64Array,
  size: number,
  { low, high, scale }: Range,
  weights?: Float64Array,
): void {
  masses.fill(0);
  counts.fill(0);
  for (let i = 0; i < size; i++) {
    const key = keys[i];
    if (!(key >= low && key <= high)) continue;
    const bucket = bucketOf(key, low, scale);
    counts[bucket]++;
    masses[bucket] += weights === undefined ? 1 : weights[i];
  }
}

/** The smallest key is in the first bucket and the largest in the last, so that every round leaves fewer. */
function bucketOf(key: number, low: number, scale: number): number {
  const bucket = ((key - low) * scale) | 0;
  return bucket < BUCKETS ? bucket : BUCKETS - 1;
}

import { HfmsError } from "../errors.js";
import { notFinite, type QuantizedBlocks, SMALLEST_SCALE } from "./quantized-blocks.js";

/**
 * Fills symmetric blocks with the least weighted squared error found: for each block it tries grids on which the largest
 * magnitude falls at different steps, fits the best scale to each in closed form, and keeps the best. `searchScales` does
 * the same where every column counts alike, several times as fast.
 */
export function quantizeLeastError(
  values: Float32Array,
  blocks: QuantizedBlocks,
  importance: Float32Array,
): void {
  const { rows, cols, bits, blockSize, data, scales } = blocks;
  checkImportance(cols, importance);
  const grids = bits === 4 ? grids4 : grids8;
  const sample = new BlockSample(blockSize);
  let block = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < cols; column += blockSize) {
      const count = Math.min(blockSize, cols - column);
      sample.load(values, row * cols + column, count, importance, column);
      scales[block] = fitScale(sample, grids);
      // The scale is read back: rounding must use it as it is stored.
      sample.store(data, block * blockSize, bits, scales[block], grids.half);
      block++;
    }
  }
}

/** Throws internal_error for a wrong length or a weight that is not a number ≥ 0. */
export function checkImportance(cols: number, importance: Float32Array | undefined): void {
  if (importance === undefined) return;
  if (importance.length !== cols || !importance.every((weight) => weight >= 0 && weight < Infinity)) {
    throw new HfmsError("internal_error", `importance must be ${cols} numbers that are not negative`);
  }
}

/**
 * One block as doubles. The search reads it many times: converting once, and looking the clamped code up in a table
 * instead of comparing, make it several times faster in V8.
 */
export class BlockSample {
  /** Sums of the last `correlate`: Σ w·x·q and Σ w·q². The best scale for these codes is cross / square. */
  cross = 0;
  square = 0;
  low = 0;
  high = 0;
  count = 0;
  private readonly values: Float64Array;
  private readonly weights: Float64Array;
  private isWeighted = false;

  constructor(blockSize: number) {
    this.values = new Float64Array(blockSize);
    this.weights = new Float64Array(blockSize);
  }

  /** Throws corrupt_file where a value is NaN or infinite. */
  load(
    values: Float32Array,
    start: number,
    count: number,
    importance: Float32Array | undefined,
    column: number,
  ): void {
    let low = 0;
    let high = 0;
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const value = values[start + i];
      this.values[i] = value;
      sum += value;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    if (!(Math.abs(sum) < Infinity)) throw notFinite();
    this.count = count;
    this.low = low;
    this.high = high;
    this.isWeighted = importance !== undefined;
    if (importance !== undefined) this.weights.set(importance.subarray(column, column + count));
  }

  /** Rounds x / scale (`inverse` is 1 / scale) to codes through `codes[round(x / scale) + offset]` and sums up how well they fit. */
  correlate(inverse: number, codes: Float64Array, offset: number): void {
    const { values, weights, count } = this;
    const shift = offset + 0.5;
    let cross = 0;
    let square = 0;
    if (this.isWeighted) {
      for (let i = 0; i < count; i++) {
        const value = values[i];
        const q = codes[(value * inverse + shift) | 0];
        const weighted = weights[i] * q;
        cross += weighted * value;
        square += weighted * q;
      }
    } else {
      for (let i = 0; i < count; i++) {
        const value = values[i];
        const q = codes[(value * inverse + shift) | 0];
        cross += q * value;
        square += q * q;
      }
    }
    this.cross = cross;
    this.square = square;
  }

  /** Writes the codes of the nearest grid points from element `first` of the blocks on. */
  store(data: Uint8Array, first: number, bits: 4 | 8, scale: number, zero: number): void {
    const { values, count } = this;
    const inverse = scale === 0 ? 0 : 1 / scale;
    const shift = zero + 0.5;
    if (bits === 8) {
      for (let i = 0; i < count; i++) data[first + i] = clamp((values[i] * inverse + shift) | 0, 255);
      return;
    }
    const at = first >> 1;
    for (let i = 0; i < count; i += 2) {
      const low = clamp((values[i] * inverse + shift) | 0, 15);
      // The missing partner of the last value of an odd row is zero too.
      const high = i + 1 < count ? clamp((values[i + 1] * inverse + shift) | 0, 15) : zero;
      data[at + (i >> 1)] = low | (high << 4);
    }
  }
}

/** Codes by round(x / scale) + offset: the clamped ones, minus `zero`. */
export function codeTable(levels: number, zero: number, offset: number): Float64Array {
  const length = levels + 1 + 2 * (offset - zero);
  return Float64Array.from({ length }, (_, i) => clamp(i - (offset - zero), levels) - zero);
}

export function clamp(value: number, levels: number): number {
  return Math.max(0, Math.min(value, levels));
}

interface SymmetricGrids {
  half: number;
  /** Where on the grid to try the largest magnitude. */
  steps: Float64Array;
  codes: Float64Array;
  offset: number;
}

// The steps are what paid on real weights: finer or wider ones bring less than 0.1 % at 4 bits; +7 for the largest magnitude
// never won. Plain rounding's own grid (-8; +127) must be among them, so that the search is never worse.
const grids4: SymmetricGrids = {
  half: 8,
  steps: Float64Array.of(-8, -7.6, -8.4, -7.2, -8.8, -6.8, -9.2, -6.4, -6),
  codes: codeTable(15, 8, 10),
  offset: 10,
};
const grids8: SymmetricGrids = {
  half: 128,
  steps: Float64Array.of(127, -128, -127, -129, -126, -125, -124, -130),
  codes: codeTable(255, 128, 132),
  offset: 132,
};

/** Blocks below this are not searched: 1 / scale could overflow, and nobody would notice the difference. */
export const TINY = 2 ** -100;

function fitScale(sample: BlockSample, { half, steps, codes, offset }: SymmetricGrids): number {
  const largest = -sample.low > sample.high ? sample.low : sample.high;
  if (largest === 0) return 0;
  let best = largest / -half;
  if (Math.abs(largest) < TINY) return Math.sign(best) * Math.max(Math.abs(best), SMALLEST_SCALE);
  let bestGain = 0;
  for (let s = 0; s < steps.length; s++) {
    sample.correlate(steps[s] / largest, codes, offset);
    const { cross, square } = sample;
    // With the best scale, cross / square, the squared error is Σ w·x² - cross² / square.
    if (square > 0 && cross * cross > bestGain * square) {
      bestGain = (cross * cross) / square;
      best = cross / square;
    }
  }
  return best;
}

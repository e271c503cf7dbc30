import { columnWeights, store } from "./least-error.js";
import {
  allocateBlocks,
  type BlockOptions,
  notFinite,
  type QuantizedBlocks,
  SMALLEST_SCALE,
} from "./quantized-blocks.js";

export interface QuantizeAffineOptions extends BlockOptions {
  /** [cols]: how much an error in each column counts. */
  importance?: Float32Array;
}

/**
 * Quantizes float32 rows [rows, cols] with a zero point of its own for each block, for MatMulNBits' uint8 zero points: better
 * than `quantize` where a block's values lie to one side of zero. Several ranges and zero points are tried for each block, the
 * least squared error wins. Throws corrupt_file where a value is NaN or infinite.
 */
export function quantizeAffine(
  values: Float32Array,
  options: QuantizeAffineOptions,
): Required<QuantizedBlocks> {
  const blocks = allocateBlocks(values.length, options);
  const { rows, cols, bits, blockSize, data, scales } = blocks;
  const weights = columnWeights(cols, options.importance);
  const blocksPerRow = Math.ceil(cols / blockSize);
  const zeroPoints = new Uint8Array(rows * (bits === 4 ? Math.ceil(blocksPerRow / 2) : blocksPerRow));
  const levels = bits === 4 ? 15 : 255;
  const grid: Grid = { scale: 0, zero: 0 };
  const quants = new Int32Array(blockSize);
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < blocksPerRow; b++) {
      const block = row * blocksPerRow + b;
      const column = b * blockSize;
      const start = row * cols + column;
      const count = Math.min(blockSize, cols - column);
      fitGrid(grid, values, start, count, weights, column, levels);
      scales[block] = grid.scale;
      roundTo(quants, values, start, count, scales[block], grid.zero, levels);
      // The end of a short block dequantizes to zero.
      quants.fill(grid.zero, count);
      store(data, block * blockSize, quants, blockSize, bits);
      if (bits === 8) zeroPoints[block] = grid.zero;
      else zeroPoints[row * Math.ceil(blocksPerRow / 2) + (b >> 1)] |= grid.zero << ((b & 1) << 2);
    }
  }
  return { ...blocks, zeroPoints };
}

interface Grid {
  scale: number;
  zero: number;
}

// The range is tried at these multiples of the distance between the smallest and the largest value: narrower ones cut the
// outermost values off and are finer for the rest.
const ranges = Float64Array.of(1, 1.04, 0.97, 0.94, 0.91, 0.88, 0.84, 0.8);

function fitGrid(
  grid: Grid,
  values: Float32Array,
  start: number,
  count: number,
  weights: Float32Array,
  column: number,
  levels: number,
): void {
  let low = 0;
  let high = 0;
  let sum = 0;
  for (let i = start; i < start + count; i++) {
    const value = values[i];
    sum += Math.abs(value);
    if (value < low) low = value;
    else if (value > high) high = value;
  }
  if (!(sum < Infinity)) throw notFinite();
  const range = high - low;
  // An all-zero block: any zero point represents it; the middle one is what the other formats use.
  grid.zero = (levels + 1) >> 1;
  grid.scale = 0;
  if (range === 0) return;
  grid.zero = clamp(Math.round((-low / range) * levels), levels);
  grid.scale = Math.max(range / levels, SMALLEST_SCALE);
  let bestGain = 0;
  for (let r = 0; r < ranges.length; r++) {
    const inverse = levels / (range * ranges[r]);
    const middle = Math.round((-low - (range * (1 - ranges[r])) / 2) * inverse);
    // A neighbouring zero point matters only where a step is coarse.
    const spread = levels === 15 ? 1 : 0;
    for (let zero = clamp(middle - spread, levels); zero <= clamp(middle + spread, levels); zero++) {
      let cross = 0;
      let square = 0;
      for (let i = 0; i < count; i++) {
        const value = values[start + i];
        let q = (value * inverse + zero + 0.5) | 0;
        if (q > levels) q = levels;
        else if (q < 0) q = 0;
        q -= zero;
        const weighted = weights[column + i] * q;
        cross += weighted * value;
        square += weighted * q;
      }
      if (square > 0 && cross > 0 && cross * cross > bestGain * square) {
        bestGain = (cross * cross) / square;
        grid.scale = Math.max(cross / square, SMALLEST_SCALE);
        grid.zero = zero;
      }
    }
  }
}

function clamp(value: number, levels: number): number {
  return Math.min(Math.max(value, 0), levels);
}

function roundTo(
  quants: Int32Array,
  values: Float32Array,
  start: number,
  count: number,
  scale: number,
  zero: number,
  levels: number,
): void {
  const inverse = scale === 0 ? 0 : 1 / scale;
  for (let i = 0; i < count; i++) {
    let q = (values[start + i] * inverse + zero + 0.5) | 0;
    if (q > levels) q = levels;
    else if (q < 0) q = 0;
    quants[i] = q;
  }
}

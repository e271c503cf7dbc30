import { BlockSample, checkImportance, clamp, codeTable, TINY } from "./least-error.js";
import {
  allocateBlocks,
  type BlockOptions,
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
  checkImportance(cols, options.importance);
  const blocksPerRow = Math.ceil(cols / blockSize);
  const zerosPerRow = bits === 4 ? Math.ceil(blocksPerRow / 2) : blocksPerRow;
  const zeroPoints = new Uint8Array(rows * zerosPerRow);
  const fit = new AffineFit(bits);
  const sample = new BlockSample(blockSize);
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < blocksPerRow; b++) {
      const block = row * blocksPerRow + b;
      const column = b * blockSize;
      const count = Math.min(blockSize, cols - column);
      sample.load(values, row * cols + column, count, options.importance, column);
      fit.search(sample);
      scales[block] = fit.scale;
      const { zero } = fit;
      // The unused end of a short block stands for zeros.
      if (count < blockSize) {
        const bytes = (blockSize * bits) / 8;
        data.fill(bits === 4 ? zero * 17 : zero, block * bytes, (block + 1) * bytes);
      }
      sample.store(data, block * blockSize, bits, scales[block], zero);
      if (bits === 8) zeroPoints[block] = zero;
      else zeroPoints[row * zerosPerRow + (b >> 1)] |= zero << ((b & 1) << 2);
    }
  }
  return { ...blocks, zeroPoints };
}

// The range is tried at these multiples of the distance between the smallest and the largest value: narrower ones cut the
// outermost values off and are finer for the rest.
const ranges = Float64Array.of(1, 1.05, 0.96, 0.92, 0.88, 0.84);
const NARROWEST = 0.84;

/** Finds the scale and the zero point of one block after another. */
class AffineFit {
  scale = 0;
  zero = 0;
  private bestGain = 0;
  private readonly levels: number;
  /** A table of codes for each zero point. */
  private readonly codes: Float64Array[];
  private readonly margin: number;

  constructor(bits: 4 | 8) {
    this.levels = bits === 4 ? 15 : 255;
    this.margin = Math.ceil(this.levels * (1 / NARROWEST - 1)) + 3;
    this.codes = Array.from({ length: this.levels + 1 }, (_, zero) =>
      codeTable(this.levels, zero, zero + this.margin),
    );
  }

  search(sample: BlockSample): void {
    const { levels } = this;
    const { low, high } = sample;
    const range = high - low;
    this.bestGain = 0;
    if (range === 0) {
      this.scale = 0;
      this.zero = (levels + 1) >> 1;
      return;
    }
    this.zero = clamp(Math.round((-low / range) * levels), levels);
    this.scale = Math.max(range / levels, SMALLEST_SCALE);
    // So small that 1 / scale could overflow, and of no use to anyone.
    if (range < TINY) return;
    let bestInverse = levels / range;
    for (let r = 0; r < ranges.length; r++) {
      const width = range * ranges[r];
      const inverse = levels / width;
      const zero = clamp(Math.round((-low - (range - width) / 2) * inverse), levels);
      if (this.attempt(sample, inverse, zero)) bestInverse = inverse;
    }
    // At 8 bits the next zero point is a shift too small to matter.
    if (levels > 15) return;
    const { zero } = this;
    if (zero > 0) this.attempt(sample, bestInverse, zero - 1);
    if (zero < levels) this.attempt(sample, bestInverse, zero + 1);
  }

  private attempt(sample: BlockSample, inverse: number, zero: number): boolean {
    sample.correlate(inverse, this.codes[zero], zero + this.margin);
    const { cross, square } = sample;
    if (!(square > 0 && cross > 0 && cross * cross > this.bestGain * square)) return false;
    this.bestGain = (cross * cross) / square;
    this.scale = Math.max(cross / square, SMALLEST_SCALE);
    this.zero = zero;
    return true;
  }
}

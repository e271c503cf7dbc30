import { quantizeLeastError } from "./least-error.js";
import {
  allocateBlocks,
  type BlockOptions,
  notFinite,
  type QuantizedBlocks,
  SMALLEST_SCALE,
} from "./quantized-blocks.js";
import { searchScales } from "./scale-search.js";

export interface QuantizeOptions extends BlockOptions {
  /**
   * `round` (default): the nearest value on the grid that the block's largest magnitude spans; the fastest.
   * `least-error`: tries several scales for each block and keeps that of the least squared error.
   */
  search?: "round" | "least-error";
  /** [cols]: how much an error in each column counts in `least-error`; the mean square of the column's inputs is a good choice. */
  importance?: Float32Array;
}

/**
 * Quantizes float32 rows [rows, cols] around the implied zero point (128 or 8), for MatMulNBits. `round` uses -127…127 at 8 bits
 * (as ggml's Q8_0) and -8…7 at 4 with the largest magnitude at -8 (as Q4_0; the scale may be negative).
 * Throws corrupt_file where a value is NaN or infinite.
 */
export function quantize(values: Float32Array, options: QuantizeOptions): QuantizedBlocks {
  const blocks = allocateBlocks(values.length, options);
  const { search, importance } = options;
  if (search === "least-error" && importance) quantizeLeastError(values, blocks, importance);
  else if (search === "least-error") searchScales(values, blocks);
  else if (options.bits === 8) round8(values, blocks);
  else round4(values, blocks);
  return blocks;
}

// Bits of a float32 without its sign order like its magnitude, and infinity and NaN come out on top:
// one integer maximum per block finds the scale and checks the values.
const MAGNITUDE = 0x7fff_ffff;
const INFINITY_BITS = 0x7f80_0000;

function round8(values: Float32Array, { rows, cols, blockSize, data, scales }: QuantizedBlocks): void {
  const bits = bitsOf(values);
  const toFloat = new Float32Array(1);
  const toFloatBits = new Int32Array(toFloat.buffer);
  let block = 0;
  for (let row = 0; row < rows; row++) {
    const rowEnd = (row + 1) * cols;
    for (let start = row * cols; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      let largest = 0;
      for (let i = start; i < end; i++) {
        // largest = max(largest, magnitude) without a branch, which would be mispredicted too often.
        const difference = (largest - (bits[i] & MAGNITUDE)) | 0;
        largest = (largest - (difference & (difference >> 31))) | 0;
      }
      if (largest >= INFINITY_BITS) throw notFinite();
      toFloatBits[0] = largest;
      // Read back from the array: the rounding below must use the scale as it is stored.
      scales[block] = largest === 0 ? 0 : Math.max(toFloat[0] / 127, SMALLEST_SCALE);
      const inverse = largest === 0 ? 0 : 1 / scales[block];
      const shift = block * blockSize - start;
      for (let i = start; i < end; i++) data[i + shift] = values[i] * inverse + 128.5;
      block++;
    }
  }
}

function round4(values: Float32Array, { rows, cols, blockSize, data, scales }: QuantizedBlocks): void {
  const bits = bitsOf(values);
  let block = 0;
  for (let row = 0; row < rows; row++) {
    const rowEnd = (row + 1) * cols;
    for (let start = row * cols; start < rowEnd; start += blockSize) {
      const end = Math.min(start + blockSize, rowEnd);
      let largest = 0;
      let largestAt = start;
      for (let i = start; i < end; i++) {
        const magnitude = bits[i] & MAGNITUDE;
        if (magnitude > largest) {
          largest = magnitude;
          largestAt = i;
        }
      }
      if (largest >= INFINITY_BITS) throw notFinite();
      scales[block] = signedScale(values[largestAt]);
      const inverse = largest === 0 ? 0 : 1 / scales[block];
      let at = (block * blockSize) >> 1;
      let i = start;
      for (; i + 1 < end; i += 2) {
        let low = (values[i] * inverse + 8.5) | 0;
        let high = (values[i + 1] * inverse + 8.5) | 0;
        // Only the opposite of the largest magnitude, +8, is off the grid.
        if (low > 15) low = 15;
        if (high > 15) high = 15;
        data[at++] = low | (high << 4);
      }
      if (i < end) data[at] = Math.min((values[i] * inverse + 8.5) | 0, 15) | 0x80;
      block++;
    }
  }
}

function signedScale(largest: number): number {
  if (largest === 0) return 0;
  const scale = largest / -8;
  if (Math.abs(scale) >= SMALLEST_SCALE) return scale;
  return Math.sign(scale) * SMALLEST_SCALE;
}

function bitsOf(values: Float32Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length);
}

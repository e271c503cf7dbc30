import { halfTable } from "./dequantize.js";
import { allocateBlocks, notFinite, type QuantizedBlocks, SMALLEST_SCALE } from "./quantized-blocks.js";
import { ggmlElements } from "./relayout.js";

/**
 * Q4_1 rows [rows, cols / 32] to 8-bit symmetric blocks of 32 for MatMulNBits, with several times less error than rounding the
 * dequantized values. The 16 values of a block are m + d·q; on a grid of step s = d/k they fall k steps apart, and for a well
 * chosen k the constant m falls close to a step j:
 *
 *   w = d·q + m ≈ s·(k·q + j),   error |m - s·j|, the same in the whole block
 *
 * Throws corrupt_file where a block's d or m is NaN or infinite.
 */
export function requantizeQ4_1(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const length = ggmlElements("Q4_1", bytes, rows, cols);
  const blocks = allocateBlocks(length, { cols, bits: 8, blockSize: 32 });
  const { data, scales } = blocks;
  const floats = halfTable();
  const grid: CommonGrid = { step: 0, error: 0, codes: new Uint8Array(16) };
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 20, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    const m = floats[bytes[at + 2] | (bytes[at + 3] << 8)];
    let used = 0;
    for (let i = 4; i < 20; i++) used |= (1 << (bytes[at + i] & 15)) | (1 << (bytes[at + i] >> 4));
    fitCommonGrid(grid, d, m, 31 - Math.clz32(used & -used), 31 - Math.clz32(used));
    scales[block] = grid.step;
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      data[o + i] = grid.codes[pair & 15];
      data[o + i + 16] = grid.codes[pair >> 4];
    }
  }
  return blocks;
}

interface CommonGrid {
  step: number;
  error: number;
  /** The 8-bit code of each 4-bit one. */
  codes: Uint8Array;
}

/** `first` and `last` are the smallest and largest 4-bit codes in use: only they must fit into -128…127. */
function fitCommonGrid(grid: CommonGrid, d: number, m: number, first: number, last: number): void {
  if (!Number.isFinite(d) || !Number.isFinite(m)) throw notFinite();
  if (d === 0 || first === last) {
    constantGrid(grid, d * first + m);
    return;
  }
  roundedGrid(grid, d, m, first, last);
  for (let k = 1; k * (last - first) <= 255; k++) {
    const step = d / k;
    const j = Math.round(m / step);
    if (k * first + j < -128 || k * last + j > 127) continue;
    const error = Math.abs(m - step * j);
    if (error >= grid.error || Math.abs(step) < SMALLEST_SCALE) continue;
    grid.error = error;
    grid.step = step;
    for (let q = first; q <= last; q++) grid.codes[q] = 128 + k * q + j;
  }
}

function constantGrid(grid: CommonGrid, value: number): void {
  grid.step = Math.abs(value);
  grid.codes.fill(128 + Math.sign(value));
}

/** The plain way, for blocks whose m is so large beside d that no common step fits. */
function roundedGrid(grid: CommonGrid, d: number, m: number, first: number, last: number): void {
  const largest = Math.max(Math.abs(d * first + m), Math.abs(d * last + m));
  grid.step = Math.max(largest / 127, SMALLEST_SCALE);
  // The mean error of rounding to a grid.
  grid.error = grid.step / Math.sqrt(12);
  for (let q = first; q <= last; q++) grid.codes[q] = 128 + Math.round((d * q + m) / grid.step);
}

import { halfTable } from "./half.js";
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
  const grid: CommonGrid = { step: 0, codes: new Uint8Array(16) };
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 20, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    const m = floats[bytes[at + 2] | (bytes[at + 3] << 8)];
    fitCommonGrid(grid, d, m);
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
  /** The 8-bit code of each 4-bit one. */
  codes: Uint8Array;
}

/** Codes 0 and 15 both occur in every block that its writer scaled to the block's range, so the whole of 0…15 must fit. */
function fitCommonGrid(grid: CommonGrid, d: number, m: number): void {
  if (!Number.isFinite(d) || !Number.isFinite(m)) throw notFinite();
  if (d === 0) {
    grid.step = Math.abs(m);
    grid.codes.fill(128 + Math.sign(m));
    return;
  }
  // Plain rounding first: it wins where m is so large beside d that hardly any common step fits.
  const largest = Math.max(Math.abs(m), Math.abs(15 * d + m));
  const plainStep = Math.max(largest / 127, SMALLEST_SCALE);
  const ratio = m / d;
  // In units of d. A rounding error spreads evenly over a step; its root mean square is step / √12.
  let leastError = plainStep / Math.abs(d) / Math.sqrt(12);
  let bestK = 0;
  let bestJ = 0;
  for (let k = 1; k <= 17; k++) {
    const j = Math.round(ratio * k);
    const error = Math.abs(ratio * k - j) / k;
    if (error < leastError && j >= -128 && 15 * k + j <= 127) {
      leastError = error;
      bestK = k;
      bestJ = j;
    }
  }
  grid.step = bestK === 0 ? plainStep : d / bestK;
  for (let q = 0; q < 16; q++) {
    grid.codes[q] = 128 + (bestK === 0 ? Math.round((d * q + m) / plainStep) : bestK * q + bestJ);
  }
}

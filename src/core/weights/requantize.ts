import { emptySuperBlock, superBlocks } from "./ggml-super-blocks.js";
import { halfTable } from "./half.js";
import { quantize } from "./quantize.js";
import { allocateBlocks, notFinite, type QuantizedBlocks } from "./quantized-blocks.js";
import { ggmlElements } from "./relayout.js";

/**
 * Q4_1 rows [rows, cols / 32] to 8-bit symmetric blocks of 32 for MatMulNBits, with less error than a search over the dequantized
 * values finds. The values of a block are m + d·q; on a grid of step s = d/k they fall k steps apart, and for a well
 * chosen k the constant m falls close to a step j:
 *
 *   w = d·q + m ≈ s·(k·q + j),   error |m - s·j|, the same in the whole block
 *
 * Throws corrupt_file where a block's d or m is NaN or infinite.
 */
export function requantizeQ4_1(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const floats = halfTable();
  const target = new AffineTarget("Q4_1", bytes, rows, cols);
  const { codes } = target;
  for (let at = 0; at < bytes.length; at += 20) {
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      codes[i] = pair & 15;
      codes[i + 16] = pair >> 4;
    }
    target.push(floats[bytes[at] | (bytes[at + 1] << 8)], floats[bytes[at + 2] | (bytes[at + 3] << 8)]);
  }
  return target.finish();
}

/** The same for Q5_1. */
export function requantizeQ5_1(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const floats = halfTable();
  const target = new AffineTarget("Q5_1", bytes, rows, cols);
  for (let at = 0; at < bytes.length; at += 24) {
    for (let i = 0; i < 32; i++) {
      const low = (bytes[at + 8 + (i & 15)] >> ((i >> 2) & 4)) & 15;
      const fifth = (bytes[at + 4 + (i >> 3)] >> (i & 7)) & 1;
      target.codes[i] = low | (fifth << 4);
    }
    target.push(floats[bytes[at] | (bytes[at + 1] << 8)], floats[bytes[at + 2] | (bytes[at + 3] << 8)]);
  }
  return target.finish();
}

/** The same for Q4_K: each of the eight runs of a super-block is m + d·q. */
export function requantizeQ4_K(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  return requantizeRuns("Q4_K", bytes, rows, cols);
}

/** The same for Q5_K. */
export function requantizeQ5_K(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  return requantizeRuns("Q5_K", bytes, rows, cols);
}

function requantizeRuns(
  type: "Q4_K" | "Q5_K",
  bytes: Uint8Array,
  rows: number,
  cols: number,
): QuantizedBlocks {
  const target = new AffineTarget(type, bytes, rows, cols);
  const reader = superBlocks[type];
  const source = emptySuperBlock();
  for (let at = 0; at < bytes.length; at += reader.bytes) {
    reader.read(bytes, at, source);
    for (let run = 0; run < 8; run++) {
      target.codes.set(source.codes.subarray(32 * run, 32 * run + 32));
      target.push(source.scales[run], source.offsets[run]);
    }
  }
  return target.finish();
}

/** 8-bit blocks that are filled one after the other, from the codes, d and m of each. */
class AffineTarget {
  readonly blocks: QuantizedBlocks;
  /** Those of the next block. */
  readonly codes = new Uint8Array(32);
  private next = 0;
  private readonly searched: { block: number; d: number; m: number }[] = [];

  constructor(type: "Q4_1" | "Q5_1" | "Q4_K" | "Q5_K", bytes: Uint8Array, rows: number, cols: number) {
    this.blocks = allocateBlocks(ggmlElements(type, bytes, rows, cols), { cols, bits: 8, blockSize: 32 });
  }

  push(d: number, m: number): void {
    if (!Number.isFinite(d) || !Number.isFinite(m)) throw notFinite();
    const { codes } = this;
    const { data, scales } = this.blocks;
    const block = this.next++;
    let low = 31;
    let high = 0;
    for (let i = 0; i < 32; i++) {
      const code = codes[i];
      if (code < low) low = code;
      if (code > high) high = code;
    }
    if (d === 0) {
      scales[block] = Math.abs(m);
      data.fill(128 + Math.sign(m), 32 * block, 32 * block + 32);
      return;
    }
    const { k, j } = commonGrid(m / d, low, high);
    if (k === 0) {
      // All of them at once, in the end; until then their codes wait in the place of the result.
      this.searched.push({ block, d, m });
      data.set(codes, 32 * block);
      return;
    }
    scales[block] = d / k;
    for (let i = 0; i < 32; i++) data[32 * block + i] = 128 + k * codes[i] + j;
  }

  /** The blocks, once all are pushed. */
  finish(): QuantizedBlocks {
    const { data, scales } = this.blocks;
    const count = this.searched.length;
    const values = new Float32Array(32 * count);
    for (let n = 0; n < count; n++) {
      const { block, d, m } = this.searched[n];
      for (let i = 0; i < 32; i++) values[32 * n + i] = d * data[32 * block + i] + m;
    }
    const found = quantize(values, { cols: 32, bits: 8, blockSize: 32, search: "least-error" });
    for (let n = 0; n < count; n++) {
      const { block } = this.searched[n];
      scales[block] = found.scales[n];
      data.set(found.data.subarray(32 * n, 32 * n + 32), 32 * block);
    }
    return this.blocks;
  }
}

// Codes of a narrow range leave room for any k; beyond this the error is nothing beside what the file has.
const MOST_STEPS = 64;
// A search makes the error of plain rounding smaller by a fifth.
const SEARCHED = 0.8;

/** The k and j of the least error |ratio · k - j| / k for codes from `low` to `high`; k is 0 where a search does better. */
function commonGrid(ratio: number, low: number, high: number): { k: number; j: number } {
  // In units of d. A rounding error spreads evenly over a step; its root mean square is step / √12.
  const largest = Math.max(Math.abs(low + ratio), Math.abs(high + ratio));
  let leastError = (SEARCHED * largest) / 127 / Math.sqrt(12);
  const best = { k: 0, j: 0 };
  for (let k = 1; k <= MOST_STEPS && (high - low) * k <= 255; k++) {
    const exact = ratio * k;
    const j = Math.floor(exact + 0.5);
    const error = Math.abs(exact - j) / k;
    if (error < leastError && low * k + j >= -128 && high * k + j <= 127) {
      leastError = error;
      best.k = k;
      best.j = j;
    }
  }
  return best;
}

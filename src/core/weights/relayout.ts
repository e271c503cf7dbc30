import { HfmsError } from "../errors.js";
import { dtypeLayouts } from "./dtypes.js";
import { halfTable } from "./half.js";
import { allocateBlocks, type QuantizedBlocks } from "./quantized-blocks.js";
import type { TensorDtype } from "./types.js";

/**
 * GGUF blocks moved into MatMulNBits' layout (block size 32, implied zero point) without rounding: the result stands for exactly
 * the values of `dequantize`. `bytes` are rows [rows, cols / 32] of ggml blocks.
 */
export function relayoutQ8_0(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const blocks = blocksFor("Q8_0", bytes, rows, cols);
  const { data, scales } = blocks;
  const floats = halfTable();
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 34, o += 32) {
    scales[block] = floats[bytes[at] | (bytes[at + 1] << 8)];
    // int8 + 128 as uint8 is the same byte with its top bit turned.
    for (let i = 0; i < 32; i++) data[o + i] = bytes[at + 2 + i] ^ 0x80;
  }
  return blocks;
}

/** Q4_0's zero point is MatMulNBits' own, 8: only the nibbles move, from (i, i + 16) pairs to (2i, 2i + 1) pairs. */
export function relayoutQ4_0(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const blocks = blocksFor("Q4_0", bytes, rows, cols);
  const { data, scales } = blocks;
  const floats = halfTable();
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 18, o += 16) {
    scales[block] = floats[bytes[at] | (bytes[at + 1] << 8)];
    pairNibbles(data, o, bytes, at + 2);
  }
  return blocks;
}

/**
 * Q4_1 is affine, w = d·q + m, which MatMulNBits has no fast form for. Split exactly into a symmetric part and a constant per
 * block: w = d·(q - 8) + offset, `offsets` [rows, cols / 32] = m + 8·d. A product with x is then the symmetric product plus the
 * block sums of x times `offsets`.
 */
export function relayoutQ4_1(
  bytes: Uint8Array,
  rows: number,
  cols: number,
): QuantizedBlocks & { offsets: Float32Array } {
  const blocks = blocksFor("Q4_1", bytes, rows, cols);
  const { data, scales } = blocks;
  const offsets = new Float32Array(scales.length);
  const floats = halfTable();
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 20, o += 16) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    scales[block] = d;
    offsets[block] = floats[bytes[at + 2] | (bytes[at + 3] << 8)] + 8 * d;
    pairNibbles(data, o, bytes, at + 4);
  }
  return { ...blocks, offsets };
}

function blocksFor(
  dtype: "Q4_0" | "Q4_1" | "Q8_0",
  bytes: Uint8Array,
  rows: number,
  cols: number,
): QuantizedBlocks {
  return allocateBlocks(ggmlElements(dtype, bytes, rows, cols), {
    cols,
    bits: dtype === "Q8_0" ? 8 : 4,
    blockSize: 32,
  });
}

/** Checks that `bytes` are whole rows of ggml blocks and returns rows * cols. */
export function ggmlElements(dtype: TensorDtype, bytes: Uint8Array, rows: number, cols: number): number {
  const { elements, bytes: blockBytes } = dtypeLayouts[dtype];
  if (cols % elements !== 0 || bytes.length !== ((rows * cols) / elements) * blockBytes) {
    throw new HfmsError("internal_error", `${bytes.length} bytes of ${dtype} are not [${rows}, ${cols}]`);
  }
  return rows * cols;
}

// ggml pairs element i with i + 16 in a byte, MatMulNBits element 2i with 2i + 1.
function pairNibbles(data: Uint8Array, to: number, bytes: Uint8Array, from: number): void {
  for (let i = 0; i < 8; i++) {
    const even = bytes[from + 2 * i];
    const odd = bytes[from + 2 * i + 1];
    data[to + i] = (even & 15) | ((odd & 15) << 4);
    data[to + i + 8] = (even >> 4) | (odd & 0xf0);
  }
}

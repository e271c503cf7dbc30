import { HfmsError } from "../errors.js";
import { dtypeLayouts } from "./dtypes.js";
import { nonLinearValues } from "./ggml-blocks.js";
import { emptySuperBlock, type SuperBlock, type SuperBlockType, superBlocks } from "./ggml-super-blocks.js";
import { halfTable } from "./half.js";
import { allocateBlocks, notFinite, type QuantizedBlocks } from "./quantized-blocks.js";
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

/** Q5_0: 32 values around zero fit into 8 bits as they are. */
export function relayoutQ5_0(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const blocks = blocksFor("Q5_0", bytes, rows, cols);
  const { data, scales } = blocks;
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 22, o += 32) {
    scales[block] = finiteHalf(bytes, at);
    for (let i = 0; i < 32; i++) {
      const low = (bytes[at + 6 + (i & 15)] >> ((i >> 2) & 4)) & 15;
      const fifth = (bytes[at + 2 + (i >> 3)] >> (i & 7)) & 1;
      data[o + i] = 128 - 16 + (low | (fifth << 4));
    }
  }
  return blocks;
}

/** IQ4_NL: its sixteen values are int8. */
export function relayoutIQ4_NL(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  return nibblesAs8Bits("IQ4_NL", nonLinearValues, bytes, rows, cols);
}

/** Q4_0 where 8 bits are asked for. */
export function widenQ4_0(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  return nibblesAs8Bits("Q4_0", evenValues, bytes, rows, cols);
}

const evenValues = Int8Array.from({ length: 16 }, (_, code) => code - 8);

/** IQ4_XS: as IQ4_NL, with a scale for each run of a super-block. */
export function relayoutIQ4_XS(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const blocks = blocksFor("IQ4_XS", bytes, rows, cols);
  const { data, scales } = blocks;
  eachSuperBlock("IQ4_XS", bytes, (source, first) => {
    scales.set(source.scales.subarray(0, 8), first / 32);
    for (let i = 0; i < 256; i++) data[first + i] = source.codes[i] + 128;
  });
  return blocks;
}

/**
 * Q3_K: a code of -4…3 times an integer scale of -32…31 is an integer of -124…128, so d is a scale for all of them. Turned
 * round, with -d, they fit into -128…124.
 */
export function relayoutQ3_K(bytes: Uint8Array, rows: number, cols: number): QuantizedBlocks {
  const blocks = blocksFor("Q3_K", bytes, rows, cols);
  const { data, scales } = blocks;
  eachSuperBlock("Q3_K", bytes, ({ codes, scales: ofRuns, d }, first) => {
    scales.fill(-d, first / 32, first / 32 + 8);
    for (let i = 0; i < 256; i++) data[first + i] = d === 0 ? 128 : 128 - (ofRuns[i >> 4] / d) * codes[i];
  });
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

function nibblesAs8Bits(
  dtype: "Q4_0" | "IQ4_NL",
  values: Int8Array,
  bytes: Uint8Array,
  rows: number,
  cols: number,
): QuantizedBlocks {
  const blocks = allocateBlocks(ggmlElements(dtype, bytes, rows, cols), { cols, bits: 8, blockSize: 32 });
  const { data, scales } = blocks;
  for (let block = 0, at = 0, o = 0; block < scales.length; block++, at += 18, o += 32) {
    scales[block] = finiteHalf(bytes, at);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      data[o + i] = values[pair & 15] + 128;
      data[o + i + 16] = values[pair >> 4] + 128;
    }
  }
  return blocks;
}

function eachSuperBlock(
  type: SuperBlockType,
  bytes: Uint8Array,
  visit: (source: SuperBlock, first: number) => void,
): void {
  const { bytes: size, read } = superBlocks[type];
  const source = emptySuperBlock();
  for (let at = 0, first = 0; at < bytes.length; at += size, first += 256) {
    read(bytes, at, source);
    if (!Number.isFinite(source.d)) throw notFinite();
    visit(source, first);
  }
}

function finiteHalf(bytes: Uint8Array, at: number): number {
  const value = halfTable()[bytes[at] | (bytes[at + 1] << 8)];
  if (!Number.isFinite(value)) throw notFinite();
  return value;
}

function blocksFor(
  dtype: "Q4_0" | "Q4_1" | "Q5_0" | "Q8_0" | "Q3_K" | "IQ4_XS",
  bytes: Uint8Array,
  rows: number,
  cols: number,
): QuantizedBlocks {
  return allocateBlocks(ggmlElements(dtype, bytes, rows, cols), {
    cols,
    bits: dtype === "Q4_0" || dtype === "Q4_1" ? 4 : 8,
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

import { nonLinearValues } from "./ggml-blocks.js";
import { halfTable } from "./half.js";
import type { GgmlBlockType } from "./types.js";

/** ggml's types with super-blocks of 256 weights (QK_K): runs of 16 or 32 have integer scales, which d makes floats of. */
export type SuperBlockType = Extract<GgmlBlockType, "Q2_K" | "Q3_K" | "Q4_K" | "Q5_K" | "Q6_K" | "IQ4_XS">;

/** One super-block taken apart: weight i is codes[i] · scales[r] + offsets[r], r = floor(i / run). All of them are exact. */
export interface SuperBlock {
  /** [256] */
  codes: Int8Array;
  /** [256 / run] */
  scales: Float32Array;
  /** [256 / run]; the types that are symmetric around zero leave it alone. */
  offsets: Float32Array;
  /** In half precision in the file: what the integer scales are multiples of. */
  d: number;
}

interface SuperBlockReader {
  /** Of the whole super-block. */
  bytes: number;
  /** Weights that share a scale. */
  run: 16 | 32;
  hasOffsets: boolean;
  read(bytes: Uint8Array, at: number, block: SuperBlock): void;
}

export const superBlocks: Readonly<Record<SuperBlockType, SuperBlockReader>> = {
  Q2_K: { bytes: 84, run: 16, hasOffsets: true, read: readQ2_K },
  Q3_K: { bytes: 110, run: 16, hasOffsets: false, read: readQ3_K },
  Q4_K: { bytes: 144, run: 32, hasOffsets: true, read: readQ4_K },
  Q5_K: { bytes: 176, run: 32, hasOffsets: true, read: readQ5_K },
  Q6_K: { bytes: 210, run: 16, hasOffsets: false, read: readQ6_K },
  IQ4_XS: { bytes: 136, run: 32, hasOffsets: false, read: readIQ4_XS },
};

/** As `blockConversions`, for the types with super-blocks. */
export const superBlockConversions = {
  Q2_K: conversionOf("Q2_K"),
  Q3_K: conversionOf("Q3_K"),
  Q4_K: conversionOf("Q4_K"),
  Q5_K: conversionOf("Q5_K"),
  Q6_K: conversionOf("Q6_K"),
  IQ4_XS: conversionOf("IQ4_XS"),
} satisfies Record<SuperBlockType, unknown>;

export function emptySuperBlock(): SuperBlock {
  return {
    codes: new Int8Array(256),
    scales: new Float32Array(16),
    offsets: new Float32Array(16),
    d: 0,
  };
}

/** A product of code and scale has 23 bits at most and its sum with the offset 51: in doubles nothing is rounded before the end. */
function conversionOf(type: SuperBlockType): (bytes: Uint8Array, out: Float32Array) => void {
  const { bytes: size, run, hasOffsets, read } = superBlocks[type];
  return (bytes, out) => {
    const block = emptySuperBlock();
    const { codes, scales, offsets } = block;
    for (let at = 0, o = 0; at < bytes.length; at += size, o += 256) {
      read(bytes, at, block);
      for (let r = 0, first = 0; first < 256; r++, first += run) {
        const scale = scales[r];
        if (hasOffsets) {
          const offset = offsets[r];
          for (let i = first; i < first + run; i++) out[o + i] = scale * codes[i] + offset;
        } else {
          for (let i = first; i < first + run; i++) out[o + i] = scale * codes[i];
        }
      }
    }
  };
}

// {16 bytes of scale and minimum nibbles, 64 bytes of 2-bit codes, d, dmin}
function readQ2_K(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const d = half(bytes, at + 80);
  const dmin = half(bytes, at + 82);
  block.d = d;
  for (let r = 0; r < 16; r++) {
    block.scales[r] = d * (bytes[at + r] & 15);
    block.offsets[r] = -(dmin * (bytes[at + r] >> 4));
  }
  readTwoBits(bytes, at + 16, block.codes);
}

// {32 bytes of third bits, 64 bytes of 2-bit codes, 12 bytes of 6-bit scales, d}; a third bit of 0 means -4.
function readQ3_K(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const { codes, scales } = block;
  const d = half(bytes, at + 108);
  block.d = d;
  for (let r = 0; r < 16; r++) {
    const low = (bytes[at + 96 + (r & 7)] >> (r < 8 ? 0 : 4)) & 15;
    const high = (bytes[at + 104 + (r & 3)] >> (2 * (r >> 2))) & 3;
    scales[r] = d * ((low | (high << 4)) - 32);
  }
  readTwoBits(bytes, at + 32, codes);
  for (let i = 0; i < 256; i++) {
    const third = (bytes[at + (i & 31)] >> (i >> 5)) & 1;
    codes[i] -= (third ^ 1) << 2;
  }
}

// {d, dmin, 12 bytes of 6-bit scales and minima, 128 bytes of nibbles}
function readQ4_K(bytes: Uint8Array, at: number, block: SuperBlock): void {
  readScalesAndMinima(bytes, at, block);
  readNibbles(bytes, at + 16, block.codes);
}

// {d, dmin, 12 bytes of 6-bit scales and minima, 32 bytes of fifth bits, 128 bytes of nibbles}
function readQ5_K(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const { codes } = block;
  readScalesAndMinima(bytes, at, block);
  readNibbles(bytes, at + 48, codes);
  for (let i = 0; i < 256; i++) codes[i] |= ((bytes[at + 16 + (i & 31)] >> (i >> 5)) & 1) << 4;
}

// {128 bytes of nibbles, 64 bytes of upper 2 bits, 16 int8 scales, d}
function readQ6_K(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const { codes, scales } = block;
  const d = half(bytes, at + 208);
  block.d = d;
  for (let r = 0; r < 16; r++) scales[r] = d * ((bytes[at + 192 + r] << 24) >> 24);
  readTwoBits(bytes, at + 128, codes);
  for (let i = 0; i < 256; i++) {
    // 64 bytes carry 128 weights: their low nibbles the first 64, their high ones the rest.
    const pair = bytes[at + ((i >> 7) << 6) + (i & 63)];
    codes[i] = ((pair >> ((i >> 4) & 4)) & 15) + (codes[i] << 4) - 32;
  }
}

// {d, 8 · 2 upper bits of scales, 8 · 4 lower bits, 128 bytes of nibbles: 16 for each run, its low ones first}
function readIQ4_XS(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const { codes, scales } = block;
  const d = half(bytes, at);
  const high = bytes[at + 2] | (bytes[at + 3] << 8);
  block.d = d;
  for (let r = 0; r < 8; r++) {
    const low = (bytes[at + 4 + (r >> 1)] >> (4 * (r & 1))) & 15;
    scales[r] = d * ((low | (((high >> (2 * r)) & 3) << 4)) - 32);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + 16 * r + i];
      codes[32 * r + i] = nonLinearValues[pair & 15];
      codes[32 * r + i + 16] = nonLinearValues[pair >> 4];
    }
  }
}

/** The head of Q4_K and Q5_K: the last four of the eight scales and minima have their upper bits with the first four. */
function readScalesAndMinima(bytes: Uint8Array, at: number, block: SuperBlock): void {
  const { scales, offsets } = block;
  const d = half(bytes, at);
  const dmin = half(bytes, at + 2);
  block.d = d;
  for (let r = 0; r < 4; r++) {
    const scale = bytes[at + 4 + r];
    const minimum = bytes[at + 8 + r];
    const both = bytes[at + 12 + r];
    scales[r] = d * (scale & 63);
    offsets[r] = -(dmin * (minimum & 63));
    scales[r + 4] = d * ((both & 15) | ((scale >> 2) & 0x30));
    offsets[r + 4] = -(dmin * ((both >> 4) | ((minimum >> 2) & 0x30)));
  }
}

/** 64 bytes: 32 bytes carry 128 codes of two bits, the lowest bits the first 32. */
function readTwoBits(bytes: Uint8Array, at: number, codes: Int8Array): void {
  for (let i = 0; i < 256; i++) codes[i] = (bytes[at + ((i >> 7) << 5) + (i & 31)] >> ((i >> 4) & 6)) & 3;
}

/** 128 bytes: 32 bytes carry 64 codes, the low nibbles the first 32. */
function readNibbles(bytes: Uint8Array, at: number, codes: Int8Array): void {
  for (let i = 0; i < 256; i++) codes[i] = (bytes[at + ((i >> 6) << 5) + (i & 31)] >> ((i >> 3) & 4)) & 15;
}

function half(bytes: Uint8Array, at: number): number {
  return halfTable()[bytes[at] | (bytes[at + 1] << 8)];
}

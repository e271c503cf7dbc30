import { halfTable } from "./half.js";
import type { GgmlBlockType } from "./types.js";

/**
 * ggml's blocks of 32 weights as float32. Layouts (ggml-common.h), d and m in half precision:
 *
 *   Q4_0, IQ4_NL {d, 16 bytes}   Q4_1 {d, m, 16 bytes}   Q5_0 {d, 4 bytes, 16 bytes}   Q5_1 {d, m, 4 bytes, 16 bytes}   Q8_0 {d, 32 int8}
 *
 * Low nibbles of the 16 bytes are elements 0-15, high nibbles 16-31; the 4 bytes hold the fifth bit of each element. Products of a
 * half and these integers are exact in float32, so what is computed in doubles here has the same bits as in floats.
 */
export const blockConversions = {
  Q4_0: dequantizeQ4_0,
  Q4_1: dequantizeQ4_1,
  Q5_0: dequantizeQ5_0,
  Q5_1: dequantizeQ5_1,
  Q8_0: dequantizeQ8_0,
  IQ4_NL: dequantizeIQ4_NL,
} satisfies Partial<Record<GgmlBlockType, (bytes: Uint8Array, out: Float32Array) => void>>;

/** The sixteen values of IQ4_NL and IQ4_XS (ggml's kvalues_iq4nl): dense around zero, where most weights are. */
export const nonLinearValues = Int8Array.of(
  -127,
  -104,
  -83,
  -65,
  -49,
  -35,
  -22,
  -10,
  1,
  13,
  25,
  38,
  53,
  69,
  89,
  113,
);

function dequantizeQ4_0(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  for (let at = 0, o = 0; at < bytes.length; at += 18, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      out[o + i] = d * ((pair & 15) - 8);
      out[o + i + 16] = d * ((pair >> 4) - 8);
    }
  }
}

function dequantizeQ4_1(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  for (let at = 0, o = 0; at < bytes.length; at += 20, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    const m = floats[bytes[at + 2] | (bytes[at + 3] << 8)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 4 + i];
      out[o + i] = d * (pair & 15) + m;
      out[o + i + 16] = d * (pair >> 4) + m;
    }
  }
}

function dequantizeQ5_0(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  for (let at = 0, o = 0; at < bytes.length; at += 22, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    const fifth = fifthBits(bytes, at + 2);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 6 + i];
      out[o + i] = d * (((pair & 15) | (((fifth >>> i) & 1) << 4)) - 16);
      out[o + i + 16] = d * (((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) - 16);
    }
  }
}

function dequantizeQ5_1(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  for (let at = 0, o = 0; at < bytes.length; at += 24, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    const m = floats[bytes[at + 2] | (bytes[at + 3] << 8)];
    const fifth = fifthBits(bytes, at + 4);
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 8 + i];
      out[o + i] = d * ((pair & 15) | (((fifth >>> i) & 1) << 4)) + m;
      out[o + i + 16] = d * ((pair >> 4) | (((fifth >>> (i + 16)) & 1) << 4)) + m;
    }
  }
}

function dequantizeQ8_0(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, o = 0; at < bytes.length; at += 34, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    for (let i = 0; i < 32; i++) out[o + i] = d * signed[at + 2 + i];
  }
}

function dequantizeIQ4_NL(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  for (let at = 0, o = 0; at < bytes.length; at += 18, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    for (let i = 0; i < 16; i++) {
      const pair = bytes[at + 2 + i];
      out[o + i] = d * nonLinearValues[pair & 15];
      out[o + i + 16] = d * nonLinearValues[pair >> 4];
    }
  }
}

/** The fifth bits of 32 elements, the first one's lowest. */
function fifthBits(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

import { HfmsError } from "../errors.js";
import { dtypeLayouts } from "./dtypes.js";
import type { TensorDtype } from "./types.js";

/**
 * Converts little-endian storage to float32: `out` must have exactly as many elements as `bytes` holds.
 * Block layouts are ggml's (ggml-common.h): Q4_0 {d f16, 16 bytes}, Q4_1 {d f16, m f16, 16 bytes}, Q8_0 {d f16, 32 int8};
 * in the 4-bit ones low nibbles are elements 0-15 and high nibbles 16-31. Results equal the Python package `gguf` bit for
 * bit. Throws unsupported_dtype for the integer types.
 */
export function dequantize(dtype: TensorDtype, bytes: Uint8Array, out: Float32Array): void {
  const convert = conversions[dtype];
  if (convert === undefined) {
    throw new HfmsError("unsupported_dtype", `${dtype} values can't be read as float32`, {
      hint: `types that can: ${Object.keys(conversions).join(", ")}`,
    });
  }
  const layout = dtypeLayouts[dtype];
  if ((bytes.length / layout.bytes) * layout.elements !== out.length) {
    throw new HfmsError("internal_error", `${bytes.length} bytes of ${dtype} are not ${out.length} elements`);
  }
  convert(bytes, out);
}

/** float32 of each of the 65,536 half-precision bit patterns (256 KiB: it stays in the processor's second cache). */
export function halfTable(): Float32Array {
  if (table !== undefined) return table;
  table = new Float32Array(65_536);
  for (let bits = 0; bits < 65_536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

const conversions: Partial<Record<TensorDtype, (bytes: Uint8Array, out: Float32Array) => void>> = {
  F64: dequantizeF64,
  F32: (bytes, out) => new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes),
  F16: dequantizeF16,
  BF16: dequantizeBF16,
  Q4_0: dequantizeQ4_0,
  Q4_1: dequantizeQ4_1,
  Q8_0: dequantizeQ8_0,
};

let table: Float32Array | undefined;

// sign 1 bit, exponent 5, fraction 10 (IEEE 754 binary16).
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function dequantizeF64(bytes: Uint8Array, out: Float32Array): void {
  const start = alignedTo(bytes, 8);
  out.set(new Float64Array(start.buffer, start.byteOffset, out.length));
}

function dequantizeF16(bytes: Uint8Array, out: Float32Array): void {
  const start = alignedTo(bytes, 2);
  const halves = new Uint16Array(start.buffer, start.byteOffset, out.length);
  const floats = halfTable();
  for (let i = 0; i < halves.length; i++) out[i] = floats[halves[i]];
}

// bfloat16 is the upper half of a float32.
function dequantizeBF16(bytes: Uint8Array, out: Float32Array): void {
  const start = alignedTo(bytes, 2);
  const halves = new Uint16Array(start.buffer, start.byteOffset, out.length);
  const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i] << 16;
}

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

function dequantizeQ8_0(bytes: Uint8Array, out: Float32Array): void {
  const floats = halfTable();
  const signed = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0, o = 0; at < bytes.length; at += 34, o += 32) {
    const d = floats[bytes[at] | (bytes[at + 1] << 8)];
    for (let i = 0; i < 32; i++) out[o + i] = d * signed[at + 2 + i];
  }
}

/** Typed views need their start at a multiple of the element size; a caller's slice may not have it. */
function alignedTo(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

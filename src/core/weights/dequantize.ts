import { HfmsError } from "../errors.js";
import { dtypeLayouts } from "./dtypes.js";
import { float8Tables } from "./float8.js";
import { blockConversions } from "./ggml-blocks.js";
import { superBlockConversions } from "./ggml-super-blocks.js";
import { halfTable } from "./half.js";
import type { TensorDtype } from "./types.js";

/**
 * Converts little-endian storage to float32: `out` must have exactly as many elements as `bytes` holds.
 * Results equal the Python package `gguf` bit for bit. Throws unsupported_dtype for the integer types.
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

const conversions: Partial<Record<TensorDtype, (bytes: Uint8Array, out: Float32Array) => void>> = {
  F64: dequantizeF64,
  F32: (bytes, out) => new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes),
  F16: dequantizeF16,
  BF16: dequantizeBF16,
  F8_E4M3: (bytes, out) => dequantizeF8(bytes, out, float8Tables.F8_E4M3),
  F8_E5M2: (bytes, out) => dequantizeF8(bytes, out, float8Tables.F8_E5M2),
  F8_E8M0: (bytes, out) => dequantizeF8(bytes, out, float8Tables.F8_E8M0),
  ...blockConversions,
  ...superBlockConversions,
};

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

function dequantizeF8(bytes: Uint8Array, out: Float32Array, table: Float32Array): void {
  for (let i = 0; i < bytes.length; i++) out[i] = table[bytes[i]];
}

/** Typed views need their start at a multiple of the element size; a caller's slice may not have it. */
function alignedTo(bytes: Uint8Array, size: number): Uint8Array {
  return bytes.byteOffset % size === 0 ? bytes : bytes.slice();
}

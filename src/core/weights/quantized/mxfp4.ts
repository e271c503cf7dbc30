import type { WeightFile } from "../types.js";
import { partOf } from "./parts.js";
import type { QuantizedMatrix } from "./types.js";

/** What the 16 codes of E2M1 stand for. */
const VALUES = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

/** Codes that share a scale, and the bytes that they take: the low half of a byte is the even one. */
const BLOCK = 32;
const BLOCK_BYTES = 16;

/**
 * Experts in MXFP4: 4-bit floats in blocks of 32 with a power of two. `<scope>.<name>_blocks` [experts, out, in / 32, 16]
 * and `<name>_scales` [experts, out, in / 32] become `<scope>.<expert>.<name>`, a matrix for each expert. Source: OCP
 * Microscaling Formats 1.0; transformers, integrations/mxfp4.py.
 */
export function mxfp4Matrices(file: WeightFile, source: string): Map<string, QuantizedMatrix> {
  const matrices = new Map<string, QuantizedMatrix>();
  for (const name of file.tensors.keys()) {
    const [, scope, module] = /^(.+)\.([^.]+)_blocks$/.exec(name) ?? [];
    if (module === undefined) continue;
    const blocks = partOf(file, source, name, {
      dtypes: ["U8"],
      shape: [undefined, undefined, undefined, BLOCK_BYTES],
    });
    const [experts, rows, groups] = blocks.shape;
    const scales = partOf(file, source, `${scope}.${module}_scales`, {
      dtypes: ["U8"],
      shape: [experts, rows, groups],
    });
    // The rows of a matrix are asked for one chunk after the other.
    let last: { expert: number; codes: Uint8Array; exponents: Uint8Array } | undefined;
    for (let expert = 0; expert < experts; expert++) {
      matrices.set(`${scope}.${expert}.${module}`, {
        shape: [rows, groups * BLOCK],
        parts: [blocks.name, scales.name],
        async readFloat32(first, count) {
          if (last?.expert !== expert) {
            const codes = await file.readBytes(blocks.name, expert, 1);
            last = { expert, codes, exponents: await file.readBytes(scales.name, expert, 1) };
          }
          return decoded(last, first * groups, count * groups);
        },
      });
    }
  }
  return matrices;
}

/** `count` blocks from the block `first` on. */
function decoded(
  { codes, exponents }: { codes: Uint8Array; exponents: Uint8Array },
  first: number,
  count: number,
): Float32Array {
  const values = new Float32Array(count * BLOCK);
  for (let block = 0; block < count; block++) {
    const scale = 2 ** (exponents[first + block] - 127);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      const byte = codes[(first + block) * BLOCK_BYTES + i];
      values[block * BLOCK + 2 * i] = VALUES[byte & 15] * scale;
      values[block * BLOCK + 2 * i + 1] = VALUES[byte >> 4] * scale;
    }
  }
  return values;
}

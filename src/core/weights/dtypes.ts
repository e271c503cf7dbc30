import type { TensorDtype } from "./types.js";

/** How many elements one storage block of a dtype holds, and its bytes. Plain types are blocks of one. */
export interface DtypeLayout {
  elements: number;
  bytes: number;
}

/** Block sizes of the quantized types are those of ggml's structs, `block_q4_0` and its kin (ggml-common.h). */
export const dtypeLayouts: Readonly<Record<TensorDtype, DtypeLayout>> = {
  F64: { elements: 1, bytes: 8 },
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  F8_E4M3: { elements: 1, bytes: 1 },
  F8_E5M2: { elements: 1, bytes: 1 },
  F8_E8M0: { elements: 1, bytes: 1 },
  I64: { elements: 1, bytes: 8 },
  I32: { elements: 1, bytes: 4 },
  I16: { elements: 1, bytes: 2 },
  I8: { elements: 1, bytes: 1 },
  U64: { elements: 1, bytes: 8 },
  U32: { elements: 1, bytes: 4 },
  U16: { elements: 1, bytes: 2 },
  U8: { elements: 1, bytes: 1 },
  BOOL: { elements: 1, bytes: 1 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
  Q5_0: { elements: 32, bytes: 22 },
  Q5_1: { elements: 32, bytes: 24 },
  Q8_0: { elements: 32, bytes: 34 },
  Q2_K: { elements: 256, bytes: 84 },
  Q3_K: { elements: 256, bytes: 110 },
  Q4_K: { elements: 256, bytes: 144 },
  Q5_K: { elements: 256, bytes: 176 },
  Q6_K: { elements: 256, bytes: 210 },
  IQ4_NL: { elements: 32, bytes: 18 },
  IQ4_XS: { elements: 256, bytes: 136 },
};

/**
 * Bytes of a row-major tensor, or what is wrong with the shape. The dimensions come from strangers: each is checked, and
 * the product must stay exact, so that a later comparison with the file's size can be trusted.
 */
export function tensorByteLength(dtype: TensorDtype, shape: readonly number[]): number | { wrong: string } {
  const layout = dtypeLayouts[dtype];
  let elements = 1;
  for (const dimension of shape) {
    if (!Number.isSafeInteger(dimension) || dimension < 0)
      return { wrong: `has a dimension of ${dimension}` };
    elements *= dimension;
    if (elements * layout.bytes > Number.MAX_SAFE_INTEGER)
      return { wrong: `is too large: [${shape}] of ${dtype}` };
  }
  const rowLength = shape.at(-1) ?? 1;
  if (rowLength % layout.elements !== 0) {
    return { wrong: `has rows of ${rowLength} elements, but ${dtype} stores blocks of ${layout.elements}` };
  }
  return (elements / layout.elements) * layout.bytes;
}

import type { TensorDtype } from "./types.js";

/** How many elements one storage block of a dtype holds, and its bytes. Plain types are blocks of one. */
export interface DtypeLayout {
  elements: number;
  bytes: number;
}

/** Block sizes of the quantized types: ggml's `block_q4_0`, `block_q4_1`, `block_q8_0` (ggml-common.h). */
export const dtypeLayouts: Readonly<Record<TensorDtype, DtypeLayout>> = {
  F64: { elements: 1, bytes: 8 },
  F32: { elements: 1, bytes: 4 },
  F16: { elements: 1, bytes: 2 },
  BF16: { elements: 1, bytes: 2 },
  I64: { elements: 1, bytes: 8 },
  I32: { elements: 1, bytes: 4 },
  I16: { elements: 1, bytes: 2 },
  I8: { elements: 1, bytes: 1 },
  U8: { elements: 1, bytes: 1 },
  BOOL: { elements: 1, bytes: 1 },
  Q4_0: { elements: 32, bytes: 18 },
  Q4_1: { elements: 32, bytes: 20 },
  Q8_0: { elements: 32, bytes: 34 },
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

import type { QuantizedBlocks } from "./quantized-blocks.js";
import {
  relayoutIQ4_NL,
  relayoutIQ4_XS,
  relayoutQ3_K,
  relayoutQ4_0,
  relayoutQ5_0,
  relayoutQ8_0,
  widenQ4_0,
} from "./relayout.js";
import { requantizeQ4_1, requantizeQ4_K, requantizeQ5_1, requantizeQ5_K } from "./requantize.js";
import type { TensorDtype } from "./types.js";

/** Rows of stored ggml blocks to MatMulNBits' symmetric blocks of 32. Throws corrupt_file where a scale is NaN or infinite. */
export type BlockConversion = (bytes: Uint8Array, rows: number, columns: number) => QuantizedBlocks;

/**
 * The way from a stored type to `bits` that loses less than a search over the dequantized values; undefined where there is none.
 * Exact are all but those of Q4_1, Q5_1, Q4_K and Q5_K. Q6_K and Q2_K have two scales in 32 weights: the search does as well.
 */
export function blockConversion(dtype: TensorDtype, bits: 4 | 8): BlockConversion | undefined {
  return conversions[`${dtype}:${bits}`];
}

const conversions: Record<string, BlockConversion> = {
  "Q8_0:8": relayoutQ8_0,
  "Q5_0:8": relayoutQ5_0,
  "Q5_1:8": requantizeQ5_1,
  "Q4_0:8": widenQ4_0,
  "Q4_1:8": requantizeQ4_1,
  "Q3_K:8": relayoutQ3_K,
  "Q4_K:8": requantizeQ4_K,
  "Q5_K:8": requantizeQ5_K,
  "IQ4_NL:8": relayoutIQ4_NL,
  "IQ4_XS:8": relayoutIQ4_XS,
  "Q4_0:4": relayoutQ4_0,
};

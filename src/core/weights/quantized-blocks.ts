import { HfmsError } from "../errors.js";

/**
 * Block-quantized rows in the layout of ONNX Runtime's MatMulNBits (and GatherBlockQuantized):
 * value = (q - zeroPoint) * scale, with one scale for each run of `blockSize` values of a row.
 */
export interface QuantizedBlocks {
  rows: number;
  cols: number;
  bits: 4 | 8;
  blockSize: number;
  /** [rows, blocks, blockSize * bits / 8], blocks = ceil(cols / blockSize); at 4 bits the low nibble is the even element. */
  data: Uint8Array;
  /** [rows, blocks] */
  scales: Float32Array;
  /** [rows, blocks] at 8 bits, [rows, ceil(blocks / 2)] at 4 (low nibble first). Without it: 128 or 8 everywhere. */
  zeroPoints?: Uint8Array;
}

/** Block sizes that MatMulNBits knows. */
export type BlockSize = 16 | 32 | 64 | 128 | 256;

/** How blocks hold a matrix, whose rows they cut. */
export interface BlockLayout {
  bits: 4 | 8;
  blockSize: BlockSize;
  /** Each block has a zero point of its own; absent: 128 or 8 everywhere. */
  zeroPoints?: boolean;
  /** Column i of the blocks is column order[i] of the matrix (GPTQ's act-order); absent: none is moved. */
  order?: Uint32Array;
}

export interface BlockOptions {
  /** Values in a row. */
  cols: number;
  bits: 4 | 8;
  blockSize: BlockSize;
}

/** Scales below this are subnormal: imprecise, and flushed to zero by fast kernels. */
export const SMALLEST_SCALE = 2 ** -126;

export function notFinite(): HfmsError {
  return new HfmsError("corrupt_file", "the weights hold values that are NaN or infinite", {
    hint: "take another file of the model: these weights can't be quantized",
  });
}

/** Empty blocks for `length` values; the unused end of a row's last block holds the implied zero point, so it is zero. */
export function allocateBlocks(length: number, { cols, bits, blockSize }: BlockOptions): QuantizedBlocks {
  const rows = cols > 0 ? length / cols : 0;
  if (!Number.isInteger(rows)) {
    throw new HfmsError("internal_error", `${length} values can't be rows of ${cols}`);
  }
  const blocks = rows * Math.ceil(cols / blockSize);
  const data = new Uint8Array((blocks * blockSize * bits) / 8);
  if (cols % blockSize !== 0) data.fill(bits === 4 ? 0x88 : 128);
  return { rows, cols, bits, blockSize, data, scales: new Float32Array(blocks) };
}

/** The float32 values [rows, cols] that the blocks stand for. */
export function dequantizeBlocks(blocks: QuantizedBlocks): Float32Array {
  const { rows, cols, bits, blockSize, data, scales } = blocks;
  const out = new Float32Array(rows * cols);
  const blocksPerRow = Math.ceil(cols / blockSize);
  for (let row = 0; row < rows; row++) {
    for (let block = 0; block < blocksPerRow; block++) {
      const scale = scales[row * blocksPerRow + block];
      const zero = zeroPointOf(blocks, row, block);
      const from = (row * blocksPerRow + block) * blockSize;
      const first = block * blockSize;
      const count = Math.min(blockSize, cols - first);
      const to = row * cols + first;
      if (bits === 8) {
        for (let i = 0; i < count; i++) out[to + i] = (data[from + i] - zero) * scale;
      } else {
        for (let i = 0; i < count; i++) {
          out[to + i] = (((data[(from + i) >> 1] >> ((i & 1) << 2)) & 15) - zero) * scale;
        }
      }
    }
  }
  return out;
}

/** Relative root-mean-square error of a quantized tensor: 0 is exact, 1 as bad as all zeros. 0.005 is usual for int8, 0.1 for int4. */
export function quantizationError(original: Float32Array, quantized: QuantizedBlocks | Float32Array): number {
  const values = quantized instanceof Float32Array ? quantized : dequantizeBlocks(quantized);
  if (values.length !== original.length) {
    throw new HfmsError(
      "internal_error",
      `${values.length} quantized values for ${original.length} original ones`,
    );
  }
  let error = 0;
  let power = 0;
  for (let i = 0; i < original.length; i++) {
    const difference = original[i] - values[i];
    error += difference * difference;
    power += original[i] * original[i];
  }
  if (error === 0) return 0;
  return Math.sqrt(error / power);
}

function zeroPointOf(
  { bits, cols, blockSize, zeroPoints }: QuantizedBlocks,
  row: number,
  block: number,
): number {
  if (zeroPoints === undefined) return bits === 4 ? 8 : 128;
  const blocksPerRow = Math.ceil(cols / blockSize);
  if (bits === 8) return zeroPoints[row * blocksPerRow + block];
  return (zeroPoints[row * Math.ceil(blocksPerRow / 2) + (block >> 1)] >> ((block & 1) << 2)) & 15;
}

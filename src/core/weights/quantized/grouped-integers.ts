import {
  allocateBlocks,
  type BlockLayout,
  type BlockSize,
  type QuantizedBlocks,
} from "../quantized-blocks.js";
import { middleOf } from "./parts.js";

/**
 * A matrix [rows, columns] in small integers: value = (code - zero) · scale, where each row has a scale and a zero point
 * for each group of its columns. What GPTQ, AWQ and compressed-tensors store, each in its own packing.
 */
export interface GroupedIntegers {
  rows: number;
  columns: number;
  bits: 4 | 8;
  /** Columns in a group; the last group may be short. */
  groupSize: number;
  /** The group of each column, where groups are not runs of neighbours (GPTQ's act-order). */
  groupOf?: Int32Array;
  /** Some zero point is not the middle of the range, 8 or 128. */
  zeroPoints: boolean;
  read(firstRow: number, rows: number): Promise<IntegerRows>;
}

export interface IntegerRows {
  /** [rows, columns], one code in a byte. */
  codes: Uint8Array;
  /** [rows, groups] */
  scales: Float32Array;
  /** [rows, groups] */
  zeros: Uint8Array;
}

/** How the matrix stands in blocks of MatMulNBits, with the same values; undefined where its groups can't be blocks. */
export function blockLayoutOf(matrix: GroupedIntegers): BlockLayout | undefined {
  const { columns, groupSize, bits, zeroPoints } = matrix;
  const fits = (size: number) => groupSize % size === 0 && columns % size === 0;
  // A group of another size becomes several blocks with the same scale.
  const blockSize =
    blockSizes.find((size) => size === groupSize && fits(size)) ?? blockSizes.slice(1).find(fits);
  if (blockSize === undefined) return undefined;
  const order = matrix.groupOf && columnOrder(matrix.groupOf, groupSize);
  return order === "uneven" ? undefined : { bits, blockSize, zeroPoints, order };
}

/** Largest first: fewer scales to read. */
const blockSizes: readonly BlockSize[] = [256, 128, 64, 32, 16];

/** The columns, those of a group side by side; undefined where they stand so already. */
function columnOrder(groupOf: Int32Array, groupSize: number): Uint32Array | undefined | "uneven" {
  const order = Uint32Array.from(groupOf.keys()).sort((a, b) => groupOf[a] - groupOf[b] || a - b);
  if (order.some((column, i) => groupOf[column] !== Math.floor(i / groupSize))) return "uneven";
  return order.every((column, i) => column === i) ? undefined : order;
}

/**
 * Rows as blocks of the layout, whose values are the matrix's own: `layout` is that of `blockLayoutOf`, perhaps in smaller
 * blocks, with zero points where the matrix needs none, or for 4-bit codes with 8 bits, which hold code - zero.
 */
export async function readGroupedBlocks(
  matrix: GroupedIntegers,
  firstRow: number,
  count: number,
  layout: BlockLayout,
): Promise<QuantizedBlocks> {
  const { columns, groupSize } = matrix;
  const { bits, blockSize, zeroPoints, order } = layout;
  const rows = await matrix.read(firstRow, count);
  const groups = Math.ceil(columns / groupSize);
  const blocks = allocateBlocks(count * columns, { cols: columns, bits, blockSize });
  const perRow = columns / blockSize;
  const zerosPerRow = bits === 4 ? Math.ceil(perRow / 2) : perRow;
  const zeros = zeroPoints ? new Uint8Array(count * zerosPerRow) : undefined;
  const middle = middleOf(bits);
  const ordered = new Uint8Array(columns);
  for (let row = 0; row < count; row++) {
    const stored = rows.codes.subarray(row * columns, (row + 1) * columns);
    const codes = order ? ordered : stored;
    if (order) for (let i = 0; i < columns; i++) ordered[i] = stored[order[i]];
    for (let block = 0; block < perRow; block++) {
      const group = row * groups + Math.floor((block * blockSize) / groupSize);
      const zero = rows.zeros[group];
      blocks.scales[row * perRow + block] = rows.scales[group];
      if (zeros && bits === 4) zeros[row * zerosPerRow + (block >> 1)] |= zero << ((block & 1) << 2);
      else if (zeros) zeros[row * zerosPerRow + block] = zero;
      // Without zero points of their own the codes move to where the middle stands for zero.
      const shift = zeros ? 0 : middle - zero;
      const first = block * blockSize;
      if (bits === 8)
        copyCodes(codes, first, blocks.data, (row * perRow + block) * blockSize, blockSize, shift);
      else pairCodes(codes, first, blocks.data, ((row * perRow + block) * blockSize) >> 1, blockSize, shift);
    }
  }
  return { ...blocks, zeroPoints: zeros };
}

function copyCodes(
  codes: Uint8Array,
  from: number,
  data: Uint8Array,
  to: number,
  count: number,
  shift: number,
): void {
  for (let i = 0; i < count; i++) data[to + i] = codes[from + i] + shift;
}

function pairCodes(
  codes: Uint8Array,
  from: number,
  data: Uint8Array,
  to: number,
  count: number,
  shift: number,
): void {
  for (let i = 0; i < count; i += 2) {
    data[to + (i >> 1)] = (codes[from + i] + shift) | ((codes[from + i + 1] + shift) << 4);
  }
}

/** Rows as float32. */
export async function readGroupedFloats(
  matrix: GroupedIntegers,
  firstRow: number,
  count: number,
): Promise<Float32Array> {
  const { columns, groupSize, groupOf } = matrix;
  const { codes, scales, zeros } = await matrix.read(firstRow, count);
  const groups = Math.ceil(columns / groupSize);
  const values = new Float32Array(count * columns);
  const groupAt =
    groupOf ?? Int32Array.from({ length: columns }, (_, column) => Math.floor(column / groupSize));
  for (let row = 0, i = 0; row < count; row++) {
    const first = row * groups;
    for (let column = 0; column < columns; column++, i++) {
      const group = first + groupAt[column];
      values[i] = (codes[i] - zeros[group]) * scales[group];
    }
  }
  return values;
}

import type { BlockLayout, QuantizedBlocks } from "../quantized-blocks.js";
import type { WeightFile } from "../types.js";
import type { GroupedIntegers } from "./grouped-integers.js";

/** A matrix of a quantized checkpoint, which several tensors of the file make up. */
export interface QuantizedMatrix {
  /** [out, in] */
  shape: [number, number];
  /** The stored tensors that it is made of, the codes first; nobody else sees them. */
  parts: string[];
  /** Rows as float32. */
  readFloat32(firstRow: number, rows: number): Promise<Float32Array>;
  /** Where the codes are integers, which blocks can keep. */
  integers?: GroupedIntegers;
}

/**
 * A checkpoint whose linear layers are quantized. `tensors` has each of them as one matrix `<module>.weight` [out, in],
 * `readFloat32` gives its values.
 */
export interface QuantizedCheckpoint extends WeightFile {
  /** The quantized matrices, by tensor. */
  matrices: ReadonlySet<string>;
  /** Those that stand in blocks of MatMulNBits without rounding. */
  blocks: ReadonlyMap<string, BlockLayout>;
  /** Rows in blocks with the matrix's own values; undefined where the layout can't hold them. */
  readBlocks(
    name: string,
    firstRow: number,
    rows: number,
    layout: BlockLayout,
  ): Promise<QuantizedBlocks | undefined>;
}

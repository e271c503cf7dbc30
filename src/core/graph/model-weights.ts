import type { BlockLayout, QuantizedBlocks } from "../weights/quantized-blocks.js";

/**
 * A model's tensors under the names that its PyTorch class gives them, whatever file they came from: the prefix of the
 * base model is gone, GGUF's names and row orders are translated, every matrix of a linear layer is [out, in].
 */
export interface ModelWeights {
  has(name: string): boolean;
  /** Row-major. Throws corrupt_file when the tensor is missing. */
  shape(name: string): readonly number[];
  /** Rows [firstRow, firstRow + rows) of the first axis as float32; all of the tensor by default. */
  read(name: string, firstRow?: number, rows?: number): Promise<Float32Array>;
  /** How the file holds a matrix whose blocks the graph can keep as they are; absent or undefined: there are none. */
  storedBlocks?(name: string): BlockFormat | undefined;
  /**
   * Rows of a matrix whose stored blocks fit the asked format without a detour through floats, with less loss or none;
   * undefined where the stored format and the asked one have nothing in common.
   */
  readBlocks(
    name: string,
    firstRow: number,
    rows: number,
    format: BlockFormat,
  ): Promise<Pick<QuantizedBlocks, "data" | "scales" | "zeroPoints"> | undefined>;
}

/**
 * How the graph holds a matrix. What hfms quantizes is symmetric, with one float32 scale for each block of a row; blocks
 * that a file has may have zero points, and their columns in another order.
 */
export type MatrixFormat = { bits: 32 } | BlockFormat;

export type BlockFormat = BlockLayout;

/** What a matrix does in the model, which decides its format. Sensitive: in a layer where four bits cost most. */
export type MatrixRole =
  | "embedding"
  | "position"
  | "qkv"
  | "sensitive_qkv"
  | "attention_output"
  | "mlp_up"
  | "last_mlp_up"
  | "mlp_down"
  | "sensitive_mlp_down"
  | "lm_head"
  | "classifier";

/** What the blocks need to know besides their values. */
export interface BuildContext {
  weights: ModelWeights;
  /** `stored` are the blocks that the file has of all of the matrix. */
  format(role: MatrixRole, columns: number, stored?: BlockFormat): MatrixFormat;
  /**
   * How a quantized matrix is multiplied with. `blocks`: activations are rounded to int8 block by block, the fastest for
   * a token at a time. `floats`: the matrix becomes float32 on the way, which costs as much as some eighty tokens and
   * rounds no activation.
   */
  compute: "blocks" | "floats";
  /** The cache of keys and values holds int8. Absent: float32. */
  int8Cache?: Int8Cache;
}

/** How a decoder's graph rounds keys and values, and attends to what it has rounded. */
export interface Int8Cache {
  /** By layer. */
  scales: readonly CacheScales[];
  /**
   * `blocks`: attention reads the bytes as they are, which moves a quarter of the memory and suits a token at a time.
   * `floats`: they become float32 first; attention's float kernels are three to five times as fast for many tokens.
   */
  attention: "blocks" | "floats";
}

/** What one step of int8 stands for, for each component of each head: [kvHeads · headDim]. */
export interface CacheScales {
  key: Float32Array;
  value: Float32Array;
}

/**
 * A weight format is one file of this folder, listed in index.ts. It opens a file, checks every size and offset before
 * it is used (the bytes come from strangers), and reads one tensor at a time.
 */
export interface WeightFormat {
  name: "safetensors" | "gguf";
  /** True when the file name is this format's. */
  matches(file: string): boolean;
  /** Throws corrupt_file with the file's name and what is wrong; never reads past the end. */
  open(file: string): Promise<WeightFile>;
}

export type TensorDtype =
  | "F64"
  | "F32"
  | "F16"
  | "BF16"
  | "F8_E4M3"
  | "F8_E5M2"
  | "F8_E8M0"
  | "I64"
  | "I32"
  | "I16"
  | "I8"
  | "U64"
  | "U32"
  | "U16"
  | "U8"
  | "BOOL"
  | GgmlBlockType;

/** ggml's quantized types. The number is that of bits for a weight; `_0` has a scale, `_1` an offset too, `_K` both in two levels. */
export type GgmlBlockType =
  | "Q4_0"
  | "Q4_1"
  | "Q5_0"
  | "Q5_1"
  | "Q8_0"
  | "Q2_K"
  | "Q3_K"
  | "Q4_K"
  | "Q5_K"
  | "Q6_K"
  | "IQ4_NL"
  | "IQ4_XS";

export interface TensorInfo {
  name: string;
  dtype: TensorDtype;
  /** Row-major, outermost first, as PyTorch says it (GGUF's order is reversed when it is read). */
  shape: number[];
  byteLength: number;
}

export interface WeightFile extends AsyncDisposable {
  /** Tensors in the file, by the name they have in it. */
  tensors: ReadonlyMap<string, TensorInfo>;
  /** GGUF key-values, or safetensors' `__metadata__`. */
  metadata: ReadonlyMap<string, MetadataValue>;
  /**
   * Raw little-endian bytes of a tensor, or of rows [firstRow, firstRow + rows) of its first axis.
   * The buffer is the caller's.
   */
  readBytes(name: string, firstRow?: number, rows?: number): Promise<Uint8Array>;
  /** The same, converted (and dequantized) to float32. Throws unsupported_dtype for types without a conversion. */
  readFloat32(name: string, firstRow?: number, rows?: number): Promise<Float32Array>;
}

export type MetadataValue = string | number | bigint | boolean | MetadataValue[];

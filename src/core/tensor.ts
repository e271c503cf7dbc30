/** ONNX element types that hfms binds, with TensorProto.DataType's numbers (onnx.proto3) and JavaScript's arrays. */
export const elementTypes = {
  float32: { onnx: 1, bytes: 4, array: Float32Array },
  uint8: { onnx: 2, bytes: 1, array: Uint8Array },
  int8: { onnx: 3, bytes: 1, array: Int8Array },
  int32: { onnx: 6, bytes: 4, array: Int32Array },
  int64: { onnx: 7, bytes: 8, array: BigInt64Array },
} as const;

export type ElementType = keyof typeof elementTypes;
export type TensorData = Float32Array | Uint8Array | Int8Array | Int32Array | BigInt64Array;

/** A dense, row-major tensor in this process's memory. */
export interface Tensor<D extends TensorData = TensorData> {
  type: ElementType;
  shape: readonly number[];
  data: D;
}

/** Zeroed memory for a tensor. Throws RangeError when the system has none left. */
export function createTensor<T extends ElementType>(
  type: T,
  shape: readonly number[],
): Tensor<InstanceType<(typeof elementTypes)[T]["array"]>> {
  const { array: TypedArray, bytes } = elementTypes[type];
  const length = elementCount(shape);
  // Through an ArrayBuffer of its own: V8 may put a small typed array on its heap, where it moves under native code.
  const data = new TypedArray(new ArrayBuffer(length * bytes)) as InstanceType<
    (typeof elementTypes)[T]["array"]
  >;
  return { type, shape, data };
}

export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1);
}

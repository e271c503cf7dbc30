import { createTensor, type Tensor } from "../tensor.js";

export interface CacheShape {
  layers: number;
  kvHeads: number;
  headDim: number;
}

/** Capacity grows in these steps while it is small, and by a half later on. */
const STEP = 256;

/**
 * Keys and values of every layer, [slots, kvHeads, capacity, headDim] each, in memory that GroupQueryAttention appends
 * to in place. Growing keeps what is there.
 */
export class KvCache {
  readonly shape: CacheShape;
  readonly slots: number;
  /** Positions that the model can have; the capacity never passes it. */
  readonly maxLength: number;
  capacity = 0;
  /** Changes when the memory is another one and must be bound again. */
  version = 0;
  keys: Tensor<Float32Array>[] = [];
  values: Tensor<Float32Array>[] = [];

  constructor(shape: CacheShape, slots: number, maxLength: number) {
    this.shape = shape;
    this.slots = slots;
    this.maxLength = maxLength;
  }

  /** Bytes of the cache at its present capacity. */
  get byteLength(): number {
    const { layers, kvHeads, headDim } = this.shape;
    return 2 * layers * this.slots * kvHeads * this.capacity * headDim * 4;
  }

  /** Makes room for `length` positions; `used` positions of each slot are kept. */
  reserve(length: number, used: number): void {
    if (length <= this.capacity) return;
    const grown = Math.max(length, this.capacity + Math.max(STEP, this.capacity >> 1));
    const capacity = Math.min(this.maxLength, Math.ceil(grown / STEP) * STEP);
    const grow = (tensors: Tensor<Float32Array>[]) =>
      Array.from({ length: this.shape.layers }, (_, layer) => this.#grown(tensors[layer], capacity, used));
    this.keys = grow(this.keys);
    this.values = grow(this.values);
    this.capacity = capacity;
    this.version++;
  }

  #grown(old: Tensor<Float32Array> | undefined, capacity: number, used: number): Tensor<Float32Array> {
    const { kvHeads, headDim } = this.shape;
    const tensor = createTensor("float32", [this.slots, kvHeads, capacity, headDim]);
    if (old && used > 0) {
      for (let head = 0; head < this.slots * kvHeads; head++) {
        const from = head * this.capacity * headDim;
        tensor.data.set(old.data.subarray(from, from + used * headDim), head * capacity * headDim);
      }
    }
    return tensor;
  }
}

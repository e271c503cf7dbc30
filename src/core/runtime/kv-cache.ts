import { createTensor, elementTypes, type Tensor } from "../tensor.js";

export interface CacheShape {
  layers: number;
  kvHeads: number;
  headDim: number;
  /** What keys and values are held in; float32 by default. */
  cacheType?: "float32" | "int8";
}

type CacheData = Float32Array | Int8Array;

/** Capacities are multiples of this. */
const STEP = 256;

/** Positions that a cache has for sequences of this length: it grows in steps while it is small, and by a half later on. */
export function capacityFor(length: number, maxLength: number): number {
  let capacity = 0;
  while (capacity < length) capacity += Math.max(STEP, Math.ceil(capacity / 2 / STEP) * STEP);
  return Math.min(capacity, maxLength);
}

/** Keys and values of some positions of one sequence, [2 · layers, kvHeads, positions, headDim]: keys first. */
export type CachedPositions = CacheData;

/**
 * Keys and values of every layer, [slots, kvHeads, capacity, headDim] each, in memory that GroupQueryAttention appends
 * to in place. A slot holds one sequence; the first n slots are one stretch of memory, so a batch of n needs no copy.
 */
export class KvCache {
  readonly shape: CacheShape;
  /** Positions that the model can have; the capacity never passes it. */
  readonly maxLength: number;
  slots: number;
  capacity = 0;
  /** Changes when the memory is another one and must be bound again. */
  version = 0;
  keys: Tensor<CacheData>[] = [];
  values: Tensor<CacheData>[] = [];

  constructor(shape: CacheShape, slots: number, maxLength: number) {
    this.shape = shape;
    this.slots = slots;
    this.maxLength = maxLength;
  }

  /** Bytes that one position of one sequence takes. */
  static positionBytes({ layers, kvHeads, headDim, cacheType = "float32" }: CacheShape): number {
    return 2 * layers * kvHeads * headDim * elementTypes[cacheType].bytes;
  }

  /** Bytes of the cache at its present capacity. */
  get byteLength(): number {
    return this.slots * this.capacity * KvCache.positionBytes(this.shape);
  }

  /** Makes room for `length` positions in every slot; the first `used` of each are kept. */
  reserve(length: number, used: number): void {
    if (length > this.capacity) {
      this.resize(this.slots, capacityFor(length, this.maxLength), new Array(this.slots).fill(used));
    }
  }

  /** Moves to memory of another size. What the first `used[slot]` positions of each slot hold is kept. */
  resize(slots: number, capacity: number, used: readonly number[]): void {
    if (slots === this.slots && capacity === this.capacity) return;
    const grow = (tensors: Tensor<CacheData>[]) =>
      Array.from({ length: this.shape.layers }, (_, layer) =>
        this.#moved(tensors[layer], slots, capacity, used),
      );
    this.keys = grow(this.keys);
    this.values = grow(this.values);
    this.slots = slots;
    this.capacity = capacity;
    this.version++;
  }

  /** Copies the first `count` positions of a slot of another cache (or of this one) into a slot of this one. */
  copyFrom(source: KvCache, from: number, to: number, count: number): void {
    const { headDim } = this.shape;
    this.#eachHead((tensors, layer, head) => {
      const data = source[tensors][layer].data;
      const start = source.#offset(from, head, 0);
      this[tensors][layer].data.set(data.subarray(start, start + count * headDim), this.#offset(to, head, 0));
    });
  }

  /** A copy of positions [start, start + count) of a slot. */
  read(slot: number, start: number, count: number): CachedPositions {
    const { layers, kvHeads, headDim, cacheType = "float32" } = this.shape;
    const out = new elementTypes[cacheType].array(2 * layers * kvHeads * count * headDim);
    let at = 0;
    this.#eachHead((tensors, layer, head) => {
      const from = this.#offset(slot, head, start);
      out.set(this[tensors][layer].data.subarray(from, from + count * headDim), at);
      at += count * headDim;
    });
    return out;
  }

  /** Puts what `read` gave to positions [start, start + count) of a slot. */
  write(slot: number, start: number, count: number, positions: CachedPositions): void {
    const { headDim } = this.shape;
    let at = 0;
    this.#eachHead((tensors, layer, head) => {
      this[tensors][layer].data.set(
        positions.subarray(at, at + count * headDim),
        this.#offset(slot, head, start),
      );
      at += count * headDim;
    });
  }

  /** The memory of `count` slots from `first` on, as the runtime sees it: [count, kvHeads, capacity, headDim]. */
  view(tensors: "keys" | "values", layer: number, first: number, count: number): Tensor<CacheData> {
    const { kvHeads, headDim } = this.shape;
    const { type, data } = this[tensors][layer];
    const size = kvHeads * this.capacity * headDim;
    return {
      type,
      shape: [count, kvHeads, this.capacity, headDim],
      data: data.subarray(first * size, (first + count) * size),
    };
  }

  #offset(slot: number, head: number, position: number): number {
    return ((slot * this.shape.kvHeads + head) * this.capacity + position) * this.shape.headDim;
  }

  #eachHead(visit: (tensors: "keys" | "values", layer: number, head: number) => void): void {
    for (const tensors of ["keys", "values"] as const) {
      for (let layer = 0; layer < this.shape.layers; layer++) {
        for (let head = 0; head < this.shape.kvHeads; head++) visit(tensors, layer, head);
      }
    }
  }

  #moved(
    old: Tensor<CacheData> | undefined,
    slots: number,
    capacity: number,
    used: readonly number[],
  ): Tensor<CacheData> {
    const { kvHeads, headDim, cacheType = "float32" } = this.shape;
    const tensor = createTensor(cacheType, [slots, kvHeads, capacity, headDim]);
    for (let slot = 0; old && slot < Math.min(slots, this.slots); slot++) {
      const count = Math.min(used[slot] ?? 0, capacity) * headDim;
      for (let head = 0; count > 0 && head < kvHeads; head++) {
        const row = slot * kvHeads + head;
        const from = row * this.capacity * headDim;
        tensor.data.set(old.data.subarray(from, from + count), row * capacity * headDim);
      }
    }
    return tensor;
  }
}

import { HfmsError } from "../errors.js";
import type { DecoderInfo } from "../models/types.js";
import { createTensor, type Tensor } from "../tensor.js";
import type { KvCache } from "./kv-cache.js";
import type { Binding, Session } from "./session.js";

/** Tokens of one sequence, to be appended behind the `past` positions that its slot of the cache holds. */
export interface Row {
  tokens: ArrayLike<number>;
  past: number;
  /** How long the text will be in the end, where that is known: some models rotate by it. By default it ends here. */
  end?: number;
}

export interface LaneRun {
  cache: KvCache;
  /** Slot of the first row; the others follow it. Default 0. */
  slot?: number;
  /** Several tokens a row with a past are possible for one row only. */
  rows: readonly Row[];
  /** Which positions get logits: each row's last one, or every one of a single row. */
  logits: "last" | "all";
  signal?: AbortSignal;
}

/** Logits [vocabulary] of one row out of [rows, vocabulary]; a view, not a copy. */
export function logitsRow(logits: Float32Array, row: number, vocabulary: number): Float32Array {
  return logits.subarray(row * vocabulary, (row + 1) * vocabulary);
}

/**
 * Attention takes queries in blocks of 2 · headDim (fewer where the L2 cache is small): multiples of this. A row that is
 * the last block alone takes another path through the kernels and is not bit-equal to the same row among others.
 */
export const QUERY_BLOCK = 16;

/**
 * The bound inputs and outputs of one graph. A lane runs one batch at a time; several lanes of a session may run at
 * once. Memory is bound again only when a shape or the cache changes: a decode step binds nothing.
 */
export class Lane implements AsyncDisposable {
  readonly #info: DecoderInfo;
  readonly #binding: Binding;
  /** The cache, its state and the slots that are bound. */
  #bound: { cache: KvCache; version: number; slot: number; rows: number } | undefined;
  #inputIds: Tensor<BigInt64Array> = createTensor("int64", [0, 0]);
  #positionIds: Tensor<BigInt64Array> | undefined;
  #seqlensK: Tensor<Int32Array> = createTensor("int32", [0]);
  #logitsIndices: Tensor<BigInt64Array> = createTensor("int64", [0]);
  #logits: Tensor<Float32Array> = createTensor("float32", [0, 0]);
  readonly #total = createTensor("int32", []);

  constructor(session: Session, info: DecoderInfo) {
    this.#info = info;
    this.#binding = session.createBinding();
    this.#binding.input("total_sequence_length", this.#total);
  }

  /**
   * Runs the rows and returns logits [rows or tokens, vocabulary]; the memory is reused by the next run. The cache must
   * have room for them.
   */
  async run({ cache, slot = 0, rows, logits, signal }: LaneRun): Promise<Tensor<Float32Array>> {
    const width = this.#width(rows);
    const indices = this.#indices(rows, width, logits);
    this.#bind(cache, slot, rows.length, width, indices.length);
    const ids = this.#inputIds.data;
    if (width > 1) ids.fill(0n);
    let total = width;
    for (const [r, { tokens, past, end }] of rows.entries()) {
      const { length } = tokens;
      for (let i = 0; i < length; i++) ids[r * width + i] = BigInt(tokens[i]);
      if (this.#positionIds) {
        const first = past + this.#rotaryOffset(end ?? past + length);
        for (let i = 0; i < width; i++)
          this.#positionIds.data[r * width + i] = i < length ? BigInt(first + i) : 0n;
      }
      this.#seqlensK.data[r] = past + length - 1;
      total = Math.max(total, past + length);
    }
    for (const [i, index] of indices.entries()) this.#logitsIndices.data[i] = BigInt(index);
    this.#total.data[0] = total;
    await this.#binding.run(signal);
    return this.#logits;
  }

  /** Where the rows of rotation of a text of this length begin. */
  #rotaryOffset(length: number): number {
    const { longFrom } = this.#info;
    return longFrom !== undefined && length > longFrom ? longFrom : 0;
  }

  /** Tokens of the longest row; shorter ones are padded at their end. */
  #width(rows: readonly Row[]): number {
    let width = 0;
    for (const { tokens } of rows) width = Math.max(width, tokens.length);
    if (rows.length === 1 || width === 1) return width;
    if (rows.some(({ past }) => past > 0))
      throw new HfmsError("internal_error", "only a single row may have a past and several tokens");
    return width % QUERY_BLOCK === 1 ? width + 1 : width;
  }

  #indices(rows: readonly Row[], width: number, logits: "last" | "all"): number[] {
    if (logits === "all") return Array.from({ length: rows[0].tokens.length }, (_, i) => i);
    const last = rows.map(({ tokens }, r) => r * width + tokens.length - 1);
    // A product of one row takes another path than one of several, and a prompt must not depend on its company.
    return width > 1 && last.length === 1 ? [last[0], last[0]] : last;
  }

  #bind(cache: KvCache, slot: number, rows: number, width: number, logits: number): void {
    const bound = this.#bound;
    if (
      bound?.cache !== cache ||
      bound.version !== cache.version ||
      bound.slot !== slot ||
      bound.rows !== rows
    ) {
      this.#bindCache(cache, slot, rows);
      this.#bound = { cache, version: cache.version, slot, rows };
    }
    if (this.#seqlensK.data.length !== rows) {
      this.#seqlensK = createTensor("int32", [rows]);
      this.#binding.input("seqlens_k", this.#seqlensK);
    }
    const [boundRows, boundWidth] = this.#inputIds.shape;
    if (boundRows !== rows || boundWidth !== width) {
      this.#inputIds = createTensor("int64", [rows, width]);
      this.#binding.input("input_ids", this.#inputIds);
      if (this.#info.positionIds) {
        this.#positionIds = createTensor("int64", [rows, width]);
        this.#binding.input("position_ids", this.#positionIds);
      }
    }
    if (this.#logitsIndices.data.length !== logits) {
      this.#logitsIndices = createTensor("int64", [logits]);
      this.#logits = createTensor("float32", [logits, this.#info.vocabularySize]);
      this.#binding.input("logits_indices", this.#logitsIndices).output("logits", this.#logits);
    }
  }

  #bindCache(cache: KvCache, slot: number, rows: number): void {
    for (let layer = 0; layer < cache.shape.layers; layer++) {
      const key = cache.view("keys", layer, slot, rows);
      const value = cache.view("values", layer, slot, rows);
      this.#binding
        .input(`past_key_values.${layer}.key`, key)
        .input(`past_key_values.${layer}.value`, value)
        .output(`present.${layer}.key`, key)
        .output(`present.${layer}.value`, value);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#binding[Symbol.asyncDispose]();
  }
}

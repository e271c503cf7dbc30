import { HfmsError } from "../errors.js";
import type { DecoderInfo } from "../models/types.js";
import { createTensor, type Tensor } from "../tensor.js";
import { KvCache } from "./kv-cache.js";
import { type Binding, Session, type SessionOptions } from "./session.js";

/**
 * Tokens of a prompt that go through one run. A run can be stopped only between operators, and its activations grow
 * with the chunk; larger chunks gain nothing.
 */
const PREFILL_CHUNK = 512;

/** A decoder graph with the memory of one sequence: logits of the next token, one run after the other. */
export class Decoder implements AsyncDisposable {
  readonly info: DecoderInfo;
  readonly #session: Session;
  readonly #cache: KvCache;
  readonly #step: Step;
  /** Tokens whose keys and values are in the cache. */
  #length = 0;

  private constructor(session: Session, info: DecoderInfo) {
    this.#session = session;
    this.info = info;
    this.#cache = new KvCache(info, 1, info.contextLength);
    this.#step = new Step(session, info, 1);
  }

  static async load(graph: string, info: DecoderInfo, options: SessionOptions): Promise<Decoder> {
    return new Decoder(await Session.create(graph, options), info);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets the tokens behind the first `length`; the next ones follow there. */
  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /**
   * Appends tokens and returns the logits [vocabulary] that follow the last one. The array is reused by the next call.
   * Throws context_length_exceeded before anything runs when they don't fit.
   */
  async append(
    tokens: readonly number[],
    options: { signal?: AbortSignal; chunk?: number } = {},
  ): Promise<Float32Array> {
    const { signal, chunk = PREFILL_CHUNK } = options;
    const total = this.#length + tokens.length;
    if (total > this.info.contextLength) {
      throw new HfmsError(
        "context_length_exceeded",
        `${total} tokens exceed the context of ${this.info.contextLength}`,
      );
    }
    let logits: Float32Array | undefined;
    for (const piece of chunks(tokens, chunk))
      logits = (await this.#run(piece, [piece.length - 1], signal)).data;
    if (!logits) throw new HfmsError("internal_error", "no tokens to append");
    return logits;
  }

  /** Appends tokens in one run and returns the logits of every position, [tokens, vocabulary]. */
  async appendAll(tokens: readonly number[], signal?: AbortSignal): Promise<Tensor<Float32Array>> {
    return this.#run(tokens, [...tokens.keys()], signal);
  }

  async #run(
    tokens: readonly number[],
    indices: number[],
    signal?: AbortSignal,
  ): Promise<Tensor<Float32Array>> {
    const total = this.#length + tokens.length;
    const moved = this.#cache.reserve(total, this.#length);
    const logits = await this.#step.run({
      tokens,
      past: this.#length,
      indices,
      cache: this.#cache,
      moved,
      signal,
    });
    this.#length = total;
    return logits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

/**
 * Pieces of at most `size`, and of at least two tokens where there are two: a run of one token takes another path
 * through the kernels and would not be bit-equal to the same token in a longer run.
 */
function* chunks(tokens: readonly number[], size: number): Iterable<readonly number[]> {
  for (let start = 0; start < tokens.length; ) {
    let end = Math.min(tokens.length, start + size);
    if (tokens.length - end === 1) end = size > 2 ? end - 1 : end + 1;
    yield tokens.slice(start, end);
    start = end;
  }
}

interface StepRun {
  tokens: readonly number[];
  past: number;
  indices: number[];
  cache: KvCache;
  /** The cache's memory has moved. */
  moved: boolean;
  signal?: AbortSignal;
}

/** The bound inputs and outputs of a run. Memory is bound again only when a shape changes: a decode step binds nothing. */
class Step {
  readonly #info: DecoderInfo;
  readonly #binding: Binding;
  #inputIds: Tensor<BigInt64Array> | undefined;
  #positionIds: Tensor<BigInt64Array> | undefined;
  #logitsIndices: Tensor<BigInt64Array> | undefined;
  #logits: Tensor<Float32Array> | undefined;
  readonly #seqlensK: Tensor<Int32Array>;
  readonly #total = createTensor("int32", []);

  constructor(session: Session, info: DecoderInfo, batch: number) {
    this.#info = info;
    this.#binding = session.createBinding();
    this.#seqlensK = createTensor("int32", [batch]);
    this.#binding.input("seqlens_k", this.#seqlensK).input("total_sequence_length", this.#total);
  }

  async run({ tokens, past, indices, cache, moved, signal }: StepRun): Promise<Tensor<Float32Array>> {
    if (moved) this.#bindCache(cache);
    if (this.#inputIds?.data.length !== tokens.length) this.#bindTokens(tokens.length);
    if (this.#logitsIndices?.data.length !== indices.length) this.#bindLogits(indices.length);
    const inputIds = this.#inputIds as Tensor<BigInt64Array>;
    for (let i = 0; i < tokens.length; i++) {
      inputIds.data[i] = BigInt(tokens[i]);
      if (this.#positionIds) this.#positionIds.data[i] = BigInt(past + i);
    }
    const logitsIndices = this.#logitsIndices as Tensor<BigInt64Array>;
    for (let i = 0; i < indices.length; i++) logitsIndices.data[i] = BigInt(indices[i]);
    this.#seqlensK.data[0] = past + tokens.length - 1;
    this.#total.data[0] = past + tokens.length;
    await this.#binding.run(signal);
    return this.#logits as Tensor<Float32Array>;
  }

  #bindCache(cache: KvCache): void {
    for (let layer = 0; layer < cache.shape.layers; layer++) {
      this.#binding
        .input(`past_key_values.${layer}.key`, cache.keys[layer])
        .input(`past_key_values.${layer}.value`, cache.values[layer])
        .output(`present.${layer}.key`, cache.keys[layer])
        .output(`present.${layer}.value`, cache.values[layer]);
    }
  }

  #bindTokens(count: number): void {
    this.#inputIds = createTensor("int64", [1, count]);
    this.#binding.input("input_ids", this.#inputIds);
    if (!this.#info.positionIds) return;
    this.#positionIds = createTensor("int64", [1, count]);
    this.#binding.input("position_ids", this.#positionIds);
  }

  #bindLogits(count: number): void {
    this.#logitsIndices = createTensor("int64", [count]);
    this.#logits = createTensor("float32", [count, this.#info.vocabularySize]);
    this.#binding.input("logits_indices", this.#logitsIndices).output("logits", this.#logits);
  }
}

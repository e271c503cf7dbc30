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

/** The files of a built decoder: one graph for every run, and one that is better at prompts. */
export interface DecoderGraphs {
  step: string;
  prefill?: string;
  /** Whether a run of this many tokens goes through `prefill`. */
  usesPrefill(tokens: number): boolean;
}

/** A decoder graph with the memory of one sequence: logits of the next token, one run after the other. */
export class Decoder implements AsyncDisposable {
  readonly info: DecoderInfo;
  readonly #graphs: DecoderGraphs;
  readonly #options: SessionOptions;
  readonly #cache: KvCache;
  readonly #steps = new Map<string, Promise<Step>>();
  /** Tokens whose keys and values are in the cache. */
  #length = 0;
  #disposed = false;

  private constructor(graphs: DecoderGraphs, info: DecoderInfo, options: SessionOptions) {
    this.#graphs = graphs;
    this.#options = options;
    this.info = info;
    this.#cache = new KvCache(info, 1, info.contextLength);
  }

  /** Opens the graph that the first prompt will need; the other one is opened by `prepare` or when it is needed. */
  static async load(graphs: DecoderGraphs, info: DecoderInfo, options: SessionOptions): Promise<Decoder> {
    const decoder = new Decoder(graphs, info, options);
    await decoder.#open(graphs.prefill ?? graphs.step);
    return decoder;
  }

  /** Begins to open the graph for single tokens, so that it is ready when the prompt is done. */
  prepare(): void {
    // A failure is heard of by the run that needs it.
    this.#open(this.#graphs.step).catch(() => {});
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
    this.#requireRoom(tokens.length);
    // All pieces of a prompt go the same way, or where they are cut would show in the result.
    const graph = this.#graphFor(tokens.length);
    let logits: Float32Array | undefined;
    for (const piece of chunks(tokens, chunk))
      logits = (await this.#run(piece, [piece.length - 1], graph, signal)).data;
    if (!logits) throw new HfmsError("internal_error", "no tokens to append");
    return logits;
  }

  /** Appends tokens in one run and returns the logits of every position, [tokens, vocabulary]. */
  async appendAll(tokens: readonly number[], signal?: AbortSignal): Promise<Tensor<Float32Array>> {
    this.#requireRoom(tokens.length);
    return this.#run(tokens, [...tokens.keys()], this.#graphFor(tokens.length), signal);
  }

  async #run(
    tokens: readonly number[],
    indices: number[],
    graph: string,
    signal?: AbortSignal,
  ): Promise<Tensor<Float32Array>> {
    const total = this.#length + tokens.length;
    const step = await this.#open(graph);
    this.#cache.reserve(total, this.#length);
    const logits = await step.run({ tokens, past: this.#length, indices, cache: this.#cache, signal });
    this.#length = total;
    return logits;
  }

  #requireRoom(count: number): void {
    const total = this.#length + count;
    if (total <= this.info.contextLength) return;
    throw new HfmsError(
      "context_length_exceeded",
      `${total} tokens exceed the context of ${this.info.contextLength}`,
    );
  }

  #graphFor(tokens: number): string {
    const { step, prefill, usesPrefill } = this.#graphs;
    return prefill !== undefined && usesPrefill(tokens) ? prefill : step;
  }

  async #open(graph: string): Promise<Step> {
    // What was closed must not come back: nobody would release it.
    if (this.#disposed) throw new HfmsError("internal_error", "the decoder is disposed");
    let step = this.#steps.get(graph);
    if (!step) {
      step = Session.create(graph, this.#options).then((session) => new Step(session, this.info, 1));
      this.#steps.set(graph, step);
      step.catch(() => this.#steps.delete(graph));
    }
    return step;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const steps = await Promise.allSettled(this.#steps.values());
    this.#steps.clear();
    for (const step of steps) if (step.status === "fulfilled") await step.value[Symbol.asyncDispose]();
  }
}

/** GroupQueryAttention takes its queries in blocks of 2 · headDim (fewer where the L2 cache is small): multiples of this. */
const QUERY_BLOCK = 16;

/**
 * Pieces of about `size` tokens. Nowhere is a token left alone, as a piece or as the last block of queries in one: a
 * single row takes another path through the kernels and would not be bit-equal to the same token among others.
 */
function* chunks(tokens: readonly number[], size: number): Iterable<readonly number[]> {
  for (let start = 0; start < tokens.length; ) {
    const left = tokens.length - start;
    let count = Math.min(left, Math.max(2, size));
    const alone = (): boolean => left - count === 1 || count % QUERY_BLOCK === 1;
    while (count > 2 && alone()) count--;
    if (left === 3) count = 3;
    yield tokens.slice(start, start + count);
    start += count;
  }
}

interface StepRun {
  tokens: readonly number[];
  past: number;
  indices: number[];
  cache: KvCache;
  signal?: AbortSignal;
}

/** The bound inputs and outputs of a run. Memory is bound again only when a shape changes: a decode step binds nothing. */
class Step implements AsyncDisposable {
  readonly #info: DecoderInfo;
  readonly #session: Session;
  readonly #binding: Binding;
  /** The state of the cache that is bound. */
  #cacheVersion = -1;
  #inputIds: Tensor<BigInt64Array> | undefined;
  #positionIds: Tensor<BigInt64Array> | undefined;
  #logitsIndices: Tensor<BigInt64Array> | undefined;
  #logits: Tensor<Float32Array> | undefined;
  readonly #seqlensK: Tensor<Int32Array>;
  readonly #total = createTensor("int32", []);

  constructor(session: Session, info: DecoderInfo, batch: number) {
    this.#info = info;
    this.#session = session;
    this.#binding = session.createBinding();
    this.#seqlensK = createTensor("int32", [batch]);
    this.#binding.input("seqlens_k", this.#seqlensK).input("total_sequence_length", this.#total);
  }

  async run({ tokens, past, indices, cache, signal }: StepRun): Promise<Tensor<Float32Array>> {
    if (cache.version !== this.#cacheVersion) this.#bindCache(cache);
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
    this.#cacheVersion = cache.version;
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

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

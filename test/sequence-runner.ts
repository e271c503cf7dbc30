import { HfmsError } from "../src/core/errors.js";
import type { Decoder } from "../src/core/runtime/decoder.js";
import type { KvCache } from "../src/core/runtime/kv-cache.js";
import type { Lane } from "../src/core/runtime/lane.js";
import { nextPiece } from "../src/core/runtime/prompt-pieces.js";
import type { Tensor } from "../src/core/tensor.js";

/** One sequence on a decoder, without scheduler or sampler: the logits behind what is appended. */
export class SequenceRunner implements AsyncDisposable {
  readonly decoder: Decoder;
  readonly #cache: KvCache;
  readonly #lanes = new Map<string, Promise<Lane>>();
  #length = 0;

  constructor(decoder: Decoder) {
    this.decoder = decoder;
    this.#cache = decoder.createCache();
  }

  get info() {
    return this.decoder.info;
  }

  get length(): number {
    return this.#length;
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  /** Appends tokens in pieces and returns the logits [vocabulary] that follow the last one. */
  async append(tokens: readonly number[], { chunk = 512 } = {}): Promise<Float32Array> {
    this.#requireRoom(tokens.length);
    const graph = this.decoder.graphFor(tokens.length);
    let logits: Tensor<Float32Array> | undefined;
    for (let start = 0; start < tokens.length; ) {
      const piece = tokens.slice(start, start + nextPiece(tokens.length - start, chunk));
      logits = await this.#run(graph, piece, "last");
      start += piece.length;
    }
    return logits!.data.subarray(0, this.info.vocabularySize);
  }

  /** Appends tokens in one run and returns the logits of every position, [tokens, vocabulary]. */
  async appendAll(tokens: readonly number[]): Promise<Tensor<Float32Array>> {
    this.#requireRoom(tokens.length);
    return this.#run(this.decoder.graphFor(tokens.length), tokens, "all");
  }

  async #run(graph: "step" | "prefill", tokens: readonly number[], logits: "last" | "all") {
    let lane = this.#lanes.get(graph);
    if (!lane) this.#lanes.set(graph, (lane = this.decoder.createLane(graph)));
    this.#cache.reserve(this.#length + tokens.length, this.#length);
    const rows = [{ tokens, past: this.#length }];
    const output = await (await lane).run({ cache: this.#cache, rows, logits });
    this.#length += tokens.length;
    return output;
  }

  #requireRoom(count: number): void {
    if (this.#length + count <= this.info.contextLength) return;
    throw new HfmsError("context_length_exceeded", `${this.#length + count} tokens are too many`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.decoder[Symbol.asyncDispose]();
  }
}

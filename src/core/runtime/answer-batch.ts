import type { EncoderDecoderInfo } from "../models/types.js";
import { createTensor, type Tensor } from "../tensor.js";
import type { Source } from "./encoder-decoder.js";
import { capacityFor, KvCache } from "./kv-cache.js";
import type { Binding, Session } from "./session.js";

/** Positions of source texts are a multiple of this, so that few texts move memory. */
const SOURCE_STEP = 32;

/**
 * Answers that are decoded together, each to a source text of its own and in the same number of rows (its beams). An
 * answer has a place; the first n places are one stretch of memory, and the last one fills a place that becomes free.
 * A batch runs one step at a time.
 */
export class AnswerBatch implements AsyncDisposable {
  readonly #info: EncoderDecoderInfo;
  readonly #rows: number;
  readonly #binding: Binding;
  /** What the decoder has seen, a slot for each row, and the source texts, a slot for each answer. */
  readonly #own: KvCache;
  readonly #sources: KvCache;
  /** Tokens of the source texts, and positions that their rows have, by place. */
  #lengths: number[] = [];
  #used: number[] = [];
  #bound = "";
  #ids = createTensor("int64", [0, 1]);
  #seqlensK = createTensor("int32", [0]);
  #sourceLengths = createTensor("int32", [0]);
  #logits: Tensor<Float32Array> = createTensor("float32", [0, 0]);
  readonly #total = createTensor("int32", []);

  constructor(session: Session, info: EncoderDecoderInfo, rows: number) {
    this.#info = info;
    this.#rows = rows;
    this.#own = new KvCache(info, 0, info.answerLength);
    this.#sources = new KvCache(info, 0, info.contextLength);
    this.#binding = session.createBinding();
    this.#binding.input("total_sequence_length", this.#total);
  }

  /** Answers in the batch. */
  get size(): number {
    return this.#lengths.length;
  }

  /** Bytes of keys and values that are held. */
  get byteLength(): number {
    return this.#own.byteLength + this.#sources.byteLength;
  }

  /** Puts an answer to a source text at the next place, with room for `positions` of the decoder in each row. */
  join(source: Source, positions: number): void {
    const place = this.size;
    const longest = Math.max(source.length, ...this.#lengths);
    const room = Math.ceil(longest / SOURCE_STEP) * SOURCE_STEP;
    const slots = Math.max(place + 1, this.#sources.slots);
    const capacity = Math.max(this.#own.capacity, capacityFor(positions, this.#info.answerLength));
    this.#resize(slots, Math.max(room, this.#sources.capacity), capacity);
    this.#sources.copyFrom(source.cache, source.slot, place, source.length);
    this.#lengths.push(source.length);
    this.#used.push(0);
  }

  /** Takes an answer out; the last one takes its place. */
  leave(place: number): void {
    const last = this.size - 1;
    if (place < last) {
      this.#sources.copyFrom(this.#sources, last, place, this.#lengths[last]);
      for (let row = 0; row < this.#rows; row++) this.#copy(last, row, place, row);
      this.#lengths[place] = this.#lengths[last];
      this.#used[place] = this.#used[last];
    }
    this.#lengths.pop();
    this.#used.pop();
    if (this.size === 0) {
      this.#own.resize(0, 0, []);
      this.#sources.resize(0, 0, []);
    }
  }

  /** Lets a row of an answer go on from what another one has seen. */
  copyRow(place: number, { from, to }: { from: number; to: number }): void {
    this.#copy(place, from, place, to);
  }

  /**
   * One token more for each row: tokens [answers · rows], and for each answer the positions that its rows have. Returns
   * logits [answers · rows, vocabulary], whose memory the next step reuses. `paired`: a single row runs beside one that
   * nobody reads.
   */
  async step(
    tokens: readonly number[],
    pasts: readonly number[],
    { signal, paired = false }: { signal?: AbortSignal; paired?: boolean } = {},
  ): Promise<Float32Array> {
    const { size } = this;
    const count = paired && size * this.#rows === 1 ? 2 : size;
    if (count > this.#sources.slots) this.#resize(count, this.#sources.capacity, this.#own.capacity);
    const longest = Math.max(...pasts) + 1;
    this.#own.reserve(longest, longest - 1);
    this.#bind(count);
    for (const [row, token] of tokens.entries()) {
      this.#ids.data[row] = BigInt(token);
      this.#seqlensK.data[row] = pasts[Math.floor(row / this.#rows)];
    }
    // The row beside a single one sees one position of whatever is there.
    this.#sourceLengths.data.fill(1).set(this.#lengths);
    this.#total.data[0] = longest;
    await this.#binding.run(signal);
    for (const [place, past] of pasts.entries()) this.#used[place] = past + 1;
    return this.#logits.data;
  }

  #resize(slots: number, sourceCapacity: number, capacity: number): void {
    this.#sources.resize(slots, sourceCapacity, this.#lengths);
    const used = this.#used.flatMap((count) => new Array<number>(this.#rows).fill(count));
    this.#own.resize(slots * this.#rows, capacity, used);
  }

  #copy(fromPlace: number, fromRow: number, place: number, row: number): void {
    const [from, to] = [fromPlace * this.#rows + fromRow, place * this.#rows + row];
    this.#own.copyFrom(this.#own, from, to, this.#used[fromPlace]);
  }

  #bind(count: number): void {
    const state = [count, this.#own.version, this.#sources.version].join();
    if (this.#bound === state) return;
    this.#bound = state;
    const rows = count * this.#rows;
    this.#ids = createTensor("int64", [rows, 1]);
    this.#seqlensK = createTensor("int32", [rows]);
    this.#sourceLengths = createTensor("int32", [count]);
    const indices = createTensor("int64", [rows]);
    for (let row = 0; row < rows; row++) indices.data[row] = BigInt(row);
    this.#logits = createTensor("float32", [rows, this.#info.vocabularySize]);
    this.#binding
      .input("input_ids", this.#ids)
      .input("seqlens_k", this.#seqlensK)
      .input("source_lengths", this.#sourceLengths)
      .input("logits_indices", indices)
      .output("logits", this.#logits);
    for (let layer = 0; layer < this.#info.layers; layer++) {
      const key = this.#own.view("keys", layer, 0, rows);
      const value = this.#own.view("values", layer, 0, rows);
      this.#binding
        .input(`past_key_values.${layer}.key`, key)
        .input(`past_key_values.${layer}.value`, value)
        .output(`present.${layer}.key`, key)
        .output(`present.${layer}.value`, value)
        .input(`cross.${layer}.key`, this.#sources.view("keys", layer, 0, count))
        .input(`cross.${layer}.value`, this.#sources.view("values", layer, 0, count));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#binding[Symbol.asyncDispose]();
  }
}

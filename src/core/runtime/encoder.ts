import type { EncoderInfo } from "../models/types.js";
import { createTensor, elementCount, type Tensor } from "../tensor.js";
import { type Binding, Session, type SessionOptions } from "./session.js";

/** The runtime multiplies a single position by other kernels, which round otherwise; with a padded one it does not. */
const LEAST_POSITIONS = 2;

/** last_hidden_state [rows, longest, hidden]; positions behind a row's length hold nothing of meaning. */
export interface EncoderOutput extends Tensor<Float32Array> {
  /**
   * [rows, labels] of a head that judges texts; [rows, longest, …] of one that judges tokens; [n, vocabulary] of the places
   * that were asked for, where the head fills them.
   */
  logits?: Tensor<Float32Array>;
}

/**
 * An encoder graph: token ids to last_hidden_state, a batch of right-padded rows at a time. A row has the same bits
 * whatever the other rows are.
 */
export class Encoder implements AsyncDisposable {
  readonly info: EncoderInfo;
  readonly #session: Session;
  readonly #binding: Binding;
  /** Memory for the largest run so far; a run uses the front of it. */
  #room = 0;
  #ids = createTensor("int64", [0]).data;
  #types = createTensor("int64", [0]).data;
  #states = createTensor("float32", [0]).data;
  #shape = "";
  /** What logits_indices chooses; at least LEAST_POSITIONS. */
  #places: Tensor<BigInt64Array> | undefined;
  /** Of each row, among the logits of places. */
  #firstPlace: number[] = [];
  #lengths: Tensor<Int32Array> = createTensor("int32", [0]);
  #output: EncoderOutput = createTensor("float32", [0, 0, 0]);

  private constructor(session: Session, info: EncoderInfo) {
    this.#session = session;
    this.#binding = session.createBinding();
    this.info = info;
  }

  static async load(graph: string, info: EncoderInfo, options: SessionOptions): Promise<Encoder> {
    return new Encoder(await Session.create(graph, options), info);
  }

  /**
   * The output of the rows, whose memory is reused by the next call. `typeIds` are the rows' segments; a row without
   * them is of one segment, 0. `places` are the positions of each row that get logits from a head that fills places.
   */
  async run(
    rows: readonly (readonly number[])[],
    signal?: AbortSignal,
    typeIds: readonly (readonly number[] | undefined)[] = [],
    places: readonly (readonly number[] | undefined)[] = [],
  ): Promise<EncoderOutput> {
    const longest = Math.max(LEAST_POSITIONS, ...rows.map((row) => row.length));
    const chosen = rows.flatMap((_, r) => (places[r] ?? []).map((place) => r * longest + place));
    this.#bind(rows.length, longest, Math.max(LEAST_POSITIONS, chosen.length));
    this.#ids.fill(0n, 0, rows.length * longest);
    this.#types.fill(0n, 0, rows.length * longest);
    for (const [r, row] of rows.entries()) {
      this.#lengths.data[r] = row.length;
      for (let i = 0; i < row.length; i++) this.#ids[r * longest + i] = BigInt(row[i]);
      for (const [i, type] of typeIds[r]?.entries() ?? []) this.#types[r * longest + i] = BigInt(type);
    }
    this.#places?.data.fill(0n);
    this.#places?.data.set(chosen.map(BigInt));
    await this.#binding.run(signal);
    this.#firstPlace = [];
    for (let r = 0, first = 0; r < rows.length; first += places[r]?.length ?? 0, r++)
      this.#firstPlace.push(first);
    return this.#output;
  }

  /** The part of the last run's logits that is about row `row`, of which `length` tokens or places count. */
  logitsOf(row: number, length: number): Float32Array | undefined {
    const { logits } = this.#output;
    if (!logits) return undefined;
    const { data, shape } = logits;
    const width = shape[shape.length - 1];
    if (this.info.classifier) return data.subarray(row * width, (row + 1) * width);
    const first = this.#fillsPlaces ? this.#firstPlace[row] : row * shape[1];
    return data.subarray(first * width, (first + length) * width);
  }

  #bind(rows: number, longest: number, places: number): void {
    const shape = `${rows}x${longest}x${this.#fillsPlaces ? places : 0}`;
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#reserve(rows * longest);
    this.#lengths = createTensor("int32", [rows]);
    const positions = createTensor("int64", [longest]);
    for (let i = 0; i < longest; i++) positions.data[i] = BigInt(i);
    const tokens = [rows, longest];
    const states = [...tokens, this.info.hiddenSize];
    const logitsShape = this.#logitsShape(rows, longest, places);
    const logits = logitsShape && createTensor("float32", logitsShape);
    this.#output = {
      type: "float32",
      shape: states,
      data: this.#states.subarray(0, elementCount(states)),
      ...(logits && { logits }),
    };
    this.#binding
      .input("input_ids", { type: "int64", shape: tokens, data: this.#ids })
      .input("token_type_ids", { type: "int64", shape: tokens, data: this.#types })
      .input("position_ids", positions)
      .input("lengths", this.#lengths)
      .output("last_hidden_state", this.#output);
    if (this.#fillsPlaces) {
      this.#places = createTensor("int64", [places]);
      this.#binding.input("logits_indices", this.#places);
    }
    if (logits) this.#binding.output("logits", logits);
  }

  get #fillsPlaces(): boolean {
    return this.info.tokenHead?.task === "fill-mask";
  }

  #logitsShape(rows: number, longest: number, places: number): number[] | undefined {
    const { classifier, tokenHead } = this.info;
    if (classifier) return [rows, classifier.labels.length];
    if (tokenHead?.task === "token-classification") return [rows, longest, tokenHead.labels.length];
    if (tokenHead?.task === "question-answering") return [rows, longest, 2];
    return tokenHead && [places, tokenHead.vocabulary];
  }

  #reserve(tokens: number): void {
    if (tokens <= this.#room) return;
    this.#room = tokens;
    this.#ids = createTensor("int64", [tokens]).data;
    this.#types = createTensor("int64", [tokens]).data;
    this.#states = createTensor("float32", [tokens, this.info.hiddenSize]).data;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

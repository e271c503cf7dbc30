import type { EncoderInfo } from "../models/types.js";
import { createTensor, type Tensor } from "../tensor.js";
import { type Binding, Session, type SessionOptions } from "./session.js";

/** An encoder graph: token ids to last_hidden_state, a batch of right-padded rows at a time. */
export class Encoder implements AsyncDisposable {
  readonly info: EncoderInfo;
  readonly #session: Session;
  readonly #binding: Binding;
  #shape = "";
  #ids: Tensor<BigInt64Array> = createTensor("int64", [0, 0]);
  #lengths: Tensor<Int32Array> = createTensor("int32", [0]);
  #output: Tensor<Float32Array> = createTensor("float32", [0, 0, 0]);

  private constructor(session: Session, info: EncoderInfo) {
    this.#session = session;
    this.#binding = session.createBinding();
    this.info = info;
  }

  static async load(graph: string, info: EncoderInfo, options: SessionOptions): Promise<Encoder> {
    return new Encoder(await Session.create(graph, options), info);
  }

  /**
   * last_hidden_state [rows, longest, hidden] of the rows; positions behind a row's length hold nothing of meaning.
   * The memory is reused by the next call.
   */
  async run(rows: readonly (readonly number[])[], signal?: AbortSignal): Promise<Tensor<Float32Array>> {
    const longest = Math.max(...rows.map((row) => row.length));
    this.#bind(rows.length, longest);
    const ids = this.#ids.data.fill(0n);
    for (const [r, row] of rows.entries()) {
      this.#lengths.data[r] = row.length;
      for (let i = 0; i < row.length; i++) ids[r * longest + i] = BigInt(row[i]);
    }
    await this.#binding.run(signal);
    return this.#output;
  }

  #bind(rows: number, longest: number): void {
    const shape = `${rows}x${longest}`;
    if (shape === this.#shape) return;
    this.#shape = shape;
    this.#ids = createTensor("int64", [rows, longest]);
    this.#lengths = createTensor("int32", [rows]);
    const positions = createTensor("int64", [longest]);
    for (let i = 0; i < longest; i++) positions.data[i] = BigInt(i);
    this.#output = createTensor("float32", [rows, longest, this.info.hiddenSize]);
    this.#binding
      .input("input_ids", this.#ids)
      .input("token_type_ids", createTensor("int64", [rows, longest]))
      .input("position_ids", positions)
      .input("lengths", this.#lengths)
      .output("last_hidden_state", this.#output);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}

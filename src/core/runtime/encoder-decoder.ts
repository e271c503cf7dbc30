import { HfmsError } from "../errors.js";
import type { EncoderDecoderInfo } from "../models/types.js";
import { createTensor, type Tensor } from "../tensor.js";
import { AnswerBatch } from "./answer-batch.js";
import { KvCache } from "./kv-cache.js";
import { Session, type SessionOptions } from "./session.js";

/** The runtime multiplies a single position by other kernels, which round otherwise; with a padded one it does not. */
const LEAST_POSITIONS = 2;

/** A source text as the decoder sees it: keys and values of each layer, in a slot of memory that others may share. */
export interface Source {
  cache: KvCache;
  slot: number;
  /** Tokens. */
  length: number;
}

/** The sessions of an encoder-decoder: texts are read by `encode`, answers are decoded in batches. */
export class EncoderDecoder implements AsyncDisposable {
  readonly info: EncoderDecoderInfo;
  readonly #encoder: Session;
  readonly #decoder: Session;
  #pairsSteps: Promise<boolean> | undefined;
  #disposed = false;

  private constructor(encoder: Session, decoder: Session, info: EncoderDecoderInfo) {
    this.#encoder = encoder;
    this.#decoder = decoder;
    this.info = info;
  }

  static async load(
    graphs: { encoder: string; decoder: string },
    info: EncoderDecoderInfo,
    options: SessionOptions,
  ): Promise<EncoderDecoder> {
    // Where threads outnumber the heads of all rows, a row alone would not be bit-equal to the same row among others.
    const threads = Math.min(options.threads ?? 1, info.heads);
    const opened = await Promise.allSettled([
      Session.create(graphs.encoder, options),
      Session.create(graphs.decoder, { ...options, threads }),
    ]);
    const failed = opened.find(({ status }) => status === "rejected") as PromiseRejectedResult | undefined;
    const sessions = opened.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    if (failed) {
      for (const session of sessions) await session[Symbol.asyncDispose]();
      throw failed.reason;
    }
    return new EncoderDecoder(sessions[0], sessions[1], info);
  }

  /** Reads texts side by side; none of them changes the others' numbers. */
  async encode(texts: readonly (readonly number[])[], signal?: AbortSignal): Promise<Source[]> {
    return (await this.#encode(texts, signal)).sources;
  }

  /** The encoder's last states [texts, longest, hidden]; what stands behind a text's length means nothing. */
  async states(texts: readonly (readonly number[])[]): Promise<Tensor<Float32Array>> {
    return (await this.#encode(texts)).states;
  }

  /** Memory and runs for answers of `rows` rows each. */
  createBatch(rows: number): AnswerBatch {
    return new AnswerBatch(this.#decoder, this.info, rows);
  }

  /**
   * Whether a step of one row is not bit-equal to the same row among others, so that it must never run alone where it
   * may get company. It depends on the processor and the number format; found by trying, once.
   */
  pairsSteps(): Promise<boolean> {
    if (!this.#pairsSteps) {
      this.#pairsSteps = this.#compareSteps();
      this.#pairsSteps.catch(() => (this.#pairsSteps = undefined));
    }
    return this.#pairsSteps;
  }

  async #compareSteps(): Promise<boolean> {
    const sources = await this.encode([
      [1, 2].map((token) => token % this.info.vocabularySize),
      [2, 3].map((token) => token % this.info.vocabularySize),
    ]);
    await using batch = this.createBatch(1);
    batch.join(sources[0], 2);
    const alone = (await batch.step([1], [0])).slice();
    batch.join(sources[1], 2);
    const together = await batch.step([1, 2], [0, 0]);
    return alone.some((logit, i) => logit !== together[i]);
  }

  async #encode(texts: readonly (readonly number[])[], signal?: AbortSignal) {
    if (this.#disposed) throw new HfmsError("internal_error", "the model is disposed");
    const { hiddenSize, contextLength, layers } = this.info;
    const longest = Math.max(LEAST_POSITIONS, ...texts.map((text) => text.length));
    const shape = [texts.length, longest];
    const ids = createTensor("int64", shape);
    const lengths = createTensor("int32", [texts.length]);
    for (const [row, text] of texts.entries()) {
      lengths.data[row] = text.length;
      for (let i = 0; i < text.length; i++) ids.data[row * longest + i] = BigInt(text[i]);
    }
    const states = createTensor("float32", [...shape, hiddenSize]);
    const cache = new KvCache(this.info, 0, Math.max(longest, contextLength));
    cache.resize(texts.length, longest, []);
    await using binding = this.#encoder.createBinding();
    binding.input("input_ids", ids).input("lengths", lengths).output("encoder_hidden_states", states);
    for (let layer = 0; layer < layers; layer++) {
      binding
        .output(`cross.${layer}.key`, cache.view("keys", layer, 0, texts.length))
        .output(`cross.${layer}.value`, cache.view("values", layer, 0, texts.length));
    }
    await binding.run(signal);
    const sources = texts.map((text, slot) => ({ cache, slot, length: text.length }));
    return { sources, states };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    await this.#encoder[Symbol.asyncDispose]();
    await this.#decoder[Symbol.asyncDispose]();
  }
}

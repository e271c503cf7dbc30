import type { DriftReport } from "../requests.js";
import { argmax } from "../runtime/argmax.js";
import { logprobsOf } from "../runtime/logprobs.js";

/** Compares the logits of two graphs of one model along a text. */
export class DecoderDrift {
  readonly #tokens: readonly number[];
  readonly #vocabulary: number;
  #positions = 0;
  #agreed = 0;
  /** Sums of -log p of the token that follows. */
  #exactLoss = 0;
  #roundedLoss = 0;
  #cosines = 0;
  #leastCosine = 1;

  constructor(tokens: readonly number[], vocabulary: number) {
    this.#tokens = tokens;
    this.#vocabulary = vocabulary;
  }

  /** Logits [count, vocabulary] of the positions from `from` on. The last token of a text has nothing to foretell. */
  add(from: number, exact: Float32Array, rounded: Float32Array): void {
    const size = this.#vocabulary;
    for (let i = 0; (i + 1) * size <= exact.length && from + i + 1 < this.#tokens.length; i++) {
      const [start, end] = [i * size, (i + 1) * size];
      this.#compare(exact.subarray(start, end), rounded.subarray(start, end), this.#tokens[from + i + 1]);
    }
  }

  report(): Omit<DriftReport, "dtype" | "weightsSize"> {
    const count = this.#positions;
    return {
      positions: count,
      referencePerplexity: Math.exp(this.#exactLoss / count),
      perplexity: Math.exp(this.#roundedLoss / count),
      agreement: this.#agreed / count,
      cosine: this.#cosines / count,
      leastCosine: this.#leastCosine,
    };
  }

  #compare(exact: Float32Array, rounded: Float32Array, next: number): void {
    this.#positions++;
    this.#exactLoss -= logprobsOf(exact, next, 0).logprob;
    this.#roundedLoss -= logprobsOf(rounded, next, 0).logprob;
    if (argmax(exact) === argmax(rounded)) this.#agreed++;
    const cosine = cosineOf(exact, rounded);
    this.#cosines += cosine;
    this.#leastCosine = Math.min(this.#leastCosine, cosine);
  }
}

/** The cosine of two vectors; 1 where they are equal. */
export function cosineOf(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}

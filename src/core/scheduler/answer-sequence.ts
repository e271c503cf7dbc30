import { BeamSearch, type BeamSearchOptions, type Hypothesis } from "../runtime/beam-search.js";
import { type GenerationRequest, GenerationSequence } from "./generation-sequence.js";

/** What a step brings: whose keys and values go where, and whether the answer is over with it. */
export interface Advance {
  copies: readonly { from: number; to: number }[];
  finishReason?: "stop" | "length";
}

/** An answer to a source text on its way through the loop. `tokens` begins with the source text's. */
export abstract class AnswerSequence extends GenerationSequence {
  /** Rows of the batch that it takes. */
  abstract readonly rows: number;

  /** What the decoder reads next, by row. */
  abstract get nextTokens(): readonly number[];

  /** Takes the logits [vocabulary] of each row. */
  abstract advance(logitsOf: (row: number) => Float32Array): Advance;
}

/** One that takes a token after the other. */
export class SampledAnswer extends AnswerSequence {
  readonly rows = 1;
  readonly #start: number;

  constructor(request: GenerationRequest & { start: number }) {
    super(request);
    this.#start = request.start;
  }

  get nextTokens(): readonly number[] {
    return [this.outputLength === 0 ? this.#start : this.tokens[this.tokens.length - 1]];
  }

  advance(logitsOf: (row: number) => Float32Array): Advance {
    return { copies: [], finishReason: this.take(logitsOf(0)) };
  }
}

/** A search for the likeliest answers. */
export interface SearchRequest extends Omit<BeamSearchOptions, "maxTokens"> {
  prompt: readonly number[];
  maxTokens: number;
  priority?: number;
  signal?: AbortSignal;
  onPrompt?: GenerationRequest["onPrompt"];
}

/** One that follows several answers side by side. */
export class SearchedAnswer extends AnswerSequence {
  readonly rows: number;
  readonly #search: BeamSearch;
  #steps = 0;

  constructor(request: SearchRequest) {
    super({ ...request, sampler: unused, onToken: () => true });
    this.rows = request.beams;
    this.#search = new BeamSearch(request);
  }

  override get outputLength(): number {
    return this.#steps;
  }

  /** Best first. */
  get hypotheses(): readonly Hypothesis[] {
    return this.#search.hypotheses;
  }

  get nextTokens(): readonly number[] {
    return this.#search.tokens;
  }

  advance(logitsOf: (row: number) => Float32Array): Advance {
    this.#steps++;
    const copies = this.#search.advance(logitsOf);
    return this.#search.done ? { copies: [], finishReason: "stop" } : { copies };
  }
}

/** A search chooses by itself. */
const unused = {
  sample(): never {
    throw new Error("a search samples nothing");
  },
};

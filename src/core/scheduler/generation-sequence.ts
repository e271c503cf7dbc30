import type { TokenLogprob } from "../requests.js";
import type { KvCache } from "../runtime/kv-cache.js";
import type { Sampled } from "../runtime/sampler.js";
import type { RunCosts } from "./guess-costs.js";
import { Sequence } from "./sequence.js";
import type { Drafter } from "./speculator.js";

/** Chooses tokens, and may keep state between them. `Sampler` is one. */
export interface TokenSampler {
  sample(logits: Float32Array, mask?: Int32Array): Sampled;
}

/** Says which tokens a format allows next. */
export interface TokenMatcher {
  /** Bit (token & 31) of mask[token >> 5]; the memory is the matcher's own. */
  mask(): Int32Array;
  accept(token: number): void;
  /** Nothing can follow but the end. */
  readonly complete: boolean;
}

/** A sequence to be generated. The functions are called between runs and must be quick. */
export interface GenerationRequest {
  /** Token ids, at least one. */
  prompt: readonly number[];
  /** Upper bound of new tokens, at least one. */
  maxTokens: number;
  sampler: TokenSampler;
  /** Tokens that end the sequence. */
  stopTokens: ReadonlySet<number>;
  matcher?: TokenMatcher;
  priority?: number;
  /** Tokens may be guessed and checked several in one run, while no other sequence runs. */
  speculation?: boolean;
  /** Who guesses; by default prompt lookup. */
  drafter?: (costs: RunCosts) => Drafter;
  /** Ask for the log probabilities of the prompt's own tokens, with this many likeliest ones beside each. */
  promptLogprobs?: number;
  signal?: AbortSignal;
  /** The prompt is computed; its first token follows. */
  onPrompt?(prompt: { cachedTokens: number; logprobs?: TokenLogprob[] }): void;
  /** Each new token, a stop token too. `false`: the caller wants no more. */
  onToken(sampled: Sampled): boolean;
}

export interface GenerationEnd {
  /** `stop`: a stop token, the end of the format, or the caller's wish. */
  finishReason: "stop" | "length";
  /** Tokens of the prompt that needed no computing. */
  cachedTokens: number;
  /** Milliseconds: before the prompt was begun, for it, and for the tokens behind the first. */
  queueMs: number;
  promptMs: number;
  generateMs: number;
  /** Tokens that speculation proposed, and how many were right. */
  draftedTokens: number;
  acceptedTokens: number;
}

/** A request on its way through the scheduler. */
export class GenerationSequence extends Sequence {
  readonly request: GenerationRequest;
  /** Prompt and output. */
  readonly tokens: number[];
  /** Where its prompt's keys and values are, until it joins the batch: a slot of memory that it may share. */
  place: { cache: KvCache; slot: number } | undefined;
  /** Tokens of the prompt that came from another one. */
  cachedTokens = 0;
  /** Guesses what follows, once it has run alone. */
  drafter: Drafter | undefined;
  draftedTokens = 0;
  acceptedTokens = 0;
  promptLogprobs: TokenLogprob[] = [];
  readonly arrived = performance.now();
  begun = 0;
  prompted = 0;
  /** What the format allows next, where it is known already. */
  #mask: Int32Array | undefined;
  readonly #result = Promise.withResolvers<GenerationEnd>();

  constructor(request: GenerationRequest) {
    super({
      promptLength: request.prompt.length,
      maxTokens: request.maxTokens,
      priority: request.priority,
    });
    this.request = request;
    this.tokens = [...request.prompt];
  }

  get result(): Promise<GenerationEnd> {
    return this.#result.promise;
  }

  /** Positions that prompt and answer have at most. */
  get end(): number {
    return this.promptLength + this.maxTokens;
  }

  get ended(): boolean {
    return this.state === "ended";
  }

  get outputLength(): number {
    return this.tokens.length - this.promptLength;
  }

  /** Finds out what the format allows next; worth doing while the model runs. */
  lookAhead(): void {
    this.#mask = this.request.matcher?.mask();
  }

  /**
   * Chooses the token that follows these logits and says whether the sequence is over with it, and why. What the
   * caller's functions throw passes through.
   */
  take(logits: Float32Array): "stop" | "length" | undefined {
    const { sampler, matcher, stopTokens, onToken } = this.request;
    const sampled = sampler.sample(logits, this.#mask ?? matcher?.mask());
    this.#mask = undefined;
    this.tokens.push(sampled.token);
    const stops = stopTokens.has(sampled.token);
    if (!stops) matcher?.accept(sampled.token);
    const goOn = onToken(sampled);
    if (stops || !goOn || matcher?.complete) return "stop";
    return this.outputLength >= this.maxTokens ? "length" : undefined;
  }

  resolve(finishReason: "stop" | "length"): void {
    const now = performance.now();
    this.#result.resolve({
      finishReason,
      cachedTokens: this.cachedTokens,
      queueMs: this.begun - this.arrived,
      promptMs: this.prompted - this.begun,
      generateMs: now - this.prompted,
      draftedTokens: this.draftedTokens,
      acceptedTokens: this.acceptedTokens,
    });
  }

  reject(error: unknown): void {
    this.#result.reject(error);
  }
}

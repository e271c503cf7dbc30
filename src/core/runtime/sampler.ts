import { HfmsError } from "../errors.js";
import type { SamplingParams, TokenLogprob } from "../requests.js";
import { argmax, indexOfLargest, nothingPossible } from "./argmax.js";
import { candidates } from "./candidates.js";
import { logprobsOf } from "./logprobs.js";
import { createRandom, type Random } from "./random.js";
import { parseSampling } from "./sampling-params.js";
import { applyMask } from "./token-mask.js";
import type { TokenRules } from "./token-rules.js";

export { argmax, logprobsOf, parseSampling };

export interface Sampled {
  token: number;
  /** Only when params.logprobs is given. */
  logprob?: TokenLogprob;
}

type Adjusting =
  | "temperature"
  | "topK"
  | "typicalP"
  | "topP"
  | "minP"
  | "repetitionPenalty"
  | "frequencyPenalty"
  | "presencePenalty"
  | "minTokens";

/**
 * Chooses the next token from logits [vocabulary]. The order is the field's:
 *
 *  1. log probabilities are of the logits as they come;
 *  2. the repetition penalty (tokens of prompt and output), frequency and presence penalties (output only), the bias,
 *     rules about what may follow;
 *  3. tokens that end the answer are held back until `minTokens` others came;
 *  4. the mask of a grammar;
 *  5. temperature, then top-k, typical-p, top-p and min-p, each a share of what the ones before it left;
 *  6. a draw. Temperature 0 takes the likeliest token instead, of equals the one with the lowest id.
 *
 * Each call uses up one random number whatever comes of it, so that a seed gives the same text wherever and beside
 * whomever it runs.
 */
export class Sampler {
  /** Greedy and nothing else: `sample` is argmax, so a caller may check drafts by argmax alone. */
  readonly greedy: boolean;
  readonly #params: Required<Pick<SamplingParams, Adjusting>> & { logprobs?: number };
  readonly #bias: [token: number, bias: number][];
  readonly #random: Random;
  /** Occurrences of each token in the output. */
  readonly #generated = new Map<number, number>();
  /** Tokens that the repetition penalty counts, each once. */
  readonly #seen: Set<number>;
  /** Tokens that end an answer, where they must wait; and their logits while they do. */
  readonly #stopTokens: number[];
  readonly #held: Float32Array;
  readonly #rules: TokenRules | undefined;
  /** Prompt and output, where there are rules. */
  readonly #tokens: number[];
  #sampled = 0;
  /** The model's own logits of this step. */
  #raw = new Float32Array(0);

  /**
   * @param options prompt: token ids that the repetition penalty counts as seen; stopTokens: ids that end an answer,
   *   held back until `minTokens` tokens were sampled unless `ignoreEos`; rules: what may follow prompt and output
   */
  constructor(
    params: SamplingParams,
    {
      prompt = [],
      stopTokens = [],
      rules,
    }: { prompt?: readonly number[]; stopTokens?: Iterable<number>; rules?: TokenRules } = {},
  ) {
    const checked = parseSampling(params);
    const {
      temperature = 0,
      topK = 0,
      typicalP = 1,
      topP = 1,
      minP = 0,
      repetitionPenalty = 1,
      frequencyPenalty = 0,
      presencePenalty = 0,
      minTokens = 0,
      logprobs,
    } = checked;
    this.#params = {
      temperature,
      topK,
      typicalP,
      topP,
      minP,
      repetitionPenalty,
      frequencyPenalty,
      presencePenalty,
      minTokens,
      logprobs,
    };
    this.#bias = Object.entries(checked.logitBias ?? {}).map(([token, bias]) => [Number(token), bias]);
    this.#random = createRandom(checked.seed);
    this.#seen = new Set(repetitionPenalty === 1 ? [] : prompt);
    this.#rules = rules;
    this.#tokens = rules ? [...prompt] : [];
    this.#stopTokens = minTokens === 0 || checked.ignoreEos ? [] : [...new Set(stopTokens)];
    this.#held = new Float32Array(this.#stopTokens.length);
    this.greedy =
      (temperature === 0 || topK === 1) &&
      repetitionPenalty === 1 &&
      frequencyPenalty === 0 &&
      presencePenalty === 0 &&
      this.#bias.length === 0 &&
      this.#stopTokens.length === 0 &&
      rules === undefined &&
      logprobs === undefined;
  }

  /**
   * Changes `logits` in place. `mask` says which tokens are allowed: bit (token & 31) of mask[token >> 5]. Where it
   * allows none but those that end the answer, they need not wait. runtime_error when it allows nothing, or when no
   * token has a logit that is a number.
   */
  sample(logits: Float32Array, mask?: Int32Array): Sampled {
    const chance = this.#random();
    const { logprobs } = this.#params;
    if (logprobs !== undefined) this.#keepRaw(logits);
    this.#adjust(logits);
    if (mask !== undefined && !applyMask(logits, mask)) {
      throw new HfmsError("runtime_error", "the grammar's mask allows no token");
    }
    const token = this.#choose(logits, chance);
    this.#count(token);
    return logprobs === undefined ? { token } : { token, logprob: logprobsOf(this.#raw, token, logprobs) };
  }

  #keepRaw(logits: Float32Array): void {
    if (this.#raw.length !== logits.length) this.#raw = new Float32Array(logits.length);
    this.#raw.set(logits);
  }

  #adjust(logits: Float32Array): void {
    const { repetitionPenalty, frequencyPenalty, presencePenalty } = this.#params;
    const { length } = logits;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) {
        if (token >= length) continue;
        const logit = logits[token];
        logits[token] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#generated)
        logits[token] -= frequencyPenalty * count + presencePenalty;
    }
    for (const [token, bias] of this.#bias) if (token < length) logits[token] += bias;
    this.#rules?.(logits, this.#tokens);
  }

  /** Takes a token that need not wait, or any when those that must are the only ones that are possible. */
  #choose(logits: Float32Array, chance: number): number {
    const waiting = this.#sampled < this.#params.minTokens && this.#stopTokens.length > 0;
    if (waiting) this.#hold(logits);
    let token = this.#pick(logits, chance);
    if (token < 0 && waiting) {
      this.#release(logits);
      token = this.#pick(logits, chance);
    }
    if (token < 0) throw nothingPossible();
    return token;
  }

  #hold(logits: Float32Array): void {
    for (const [i, token] of this.#stopTokens.entries()) {
      if (token >= logits.length) continue;
      this.#held[i] = logits[token];
      logits[token] = -Infinity;
    }
  }

  #release(logits: Float32Array): void {
    for (const [i, token] of this.#stopTokens.entries())
      if (token < logits.length) logits[token] = this.#held[i];
  }

  /** -1 where no token is possible. */
  #pick(logits: Float32Array, chance: number): number {
    const { temperature, topK } = this.#params;
    if (temperature === 0 || topK === 1) return indexOfLargest(logits);
    return candidates.draw(logits, this.#params, chance);
  }

  #count(token: number): void {
    const { repetitionPenalty, frequencyPenalty, presencePenalty } = this.#params;
    this.#sampled += 1;
    if (this.#rules) this.#tokens.push(token);
    if (repetitionPenalty !== 1) this.#seen.add(token);
    if (frequencyPenalty !== 0 || presencePenalty !== 0)
      this.#generated.set(token, (this.#generated.get(token) ?? 0) + 1);
  }
}

import { HfmsError } from "../errors.js";
import type { SamplingParams } from "../requests.js";
import { createRandom, type Random } from "./random.js";

type Adjusting =
  | "temperature"
  | "topK"
  | "topP"
  | "minP"
  | "repetitionPenalty"
  | "frequencyPenalty"
  | "presencePenalty";

/**
 * Chooses the next token from logits [vocabulary]. The order is the field's: penalties and bias, temperature, top-k,
 * top-p, min-p, then a draw. Temperature 0 takes the likeliest token.
 */
export class Sampler {
  readonly #params: Required<Pick<SamplingParams, Adjusting>> & { logitBias: [number, number][] };
  readonly #random: Random;
  /** Occurrences of each token in the output. */
  readonly #generated = new Map<number, number>();
  readonly #seen: Set<number>;

  /** @param prompt token ids that the repetition penalty counts as seen */
  constructor(params: SamplingParams, prompt: readonly number[] = []) {
    const checked = parseSampling(params);
    this.#params = {
      temperature: checked.temperature ?? 0,
      topK: checked.topK ?? 0,
      topP: checked.topP ?? 1,
      minP: checked.minP ?? 0,
      repetitionPenalty: checked.repetitionPenalty ?? 1,
      frequencyPenalty: checked.frequencyPenalty ?? 0,
      presencePenalty: checked.presencePenalty ?? 0,
      logitBias: Object.entries(checked.logitBias ?? {}).map(([id, bias]) => [Number(id), bias]),
    };
    this.#random = createRandom(checked.seed);
    this.#seen = new Set(this.#params.repetitionPenalty === 1 ? [] : prompt);
  }

  /** Changes `logits` in place. */
  sample(logits: Float32Array): number {
    this.#adjust(logits);
    const token = this.#params.temperature === 0 ? argmax(logits) : this.#draw(logits);
    this.#generated.set(token, (this.#generated.get(token) ?? 0) + 1);
    if (this.#params.repetitionPenalty !== 1) this.#seen.add(token);
    return token;
  }

  #adjust(logits: Float32Array): void {
    const { repetitionPenalty, frequencyPenalty, presencePenalty, logitBias } = this.#params;
    if (repetitionPenalty !== 1) {
      for (const token of this.#seen) {
        const logit = logits[token];
        logits[token] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      }
    }
    if (frequencyPenalty !== 0 || presencePenalty !== 0) {
      for (const [token, count] of this.#generated)
        logits[token] -= frequencyPenalty * count + presencePenalty;
    }
    for (const [token, bias] of logitBias) if (token < logits.length) logits[token] += bias;
  }

  #draw(logits: Float32Array): number {
    const { temperature, topK, topP, minP } = this.#params;
    const best = logits[argmax(logits)];
    const weight = (token: number): number => Math.exp((logits[token] - best) / temperature);
    const bottom = best - NEGLIGIBLE * temperature;
    const least = minP > 0 ? Math.max(bottom, best + Math.log(minP) * temperature) : bottom;
    if (topK === 0 && topP === 1) return this.#pick(above(logits, least), weight);

    // Equal logits keep the order of their ids, so that a seed gives the same text everywhere.
    const byLogit = (a: number, b: number): number => logits[b] - logits[a] || a - b;
    // min-p comes last and may only shorten the list: the mass that top-p asks for is one of all tokens.
    const pick = (tokens: number[]): number =>
      this.#pick(
        tokens.filter((token) => logits[token] >= least),
        weight,
      );
    const total = topK > 0 || topP === 1 ? 0 : sum(above(logits, bottom), weight);
    // The likeliest tokens are few: look at a narrow band below the best first and widen it only when it must be.
    for (let band = 4; ; band *= 2) {
      const floor = Math.max(bottom, best - band * temperature);
      const complete = floor === bottom;
      const tokens = above(logits, floor);
      if (topK > 0) {
        if (tokens.length < topK && !complete) continue;
        const top = tokens.sort(byLogit).slice(0, topK);
        return pick(topP === 1 ? top : nucleus(top, topP * sum(top, weight), weight));
      }
      if (!complete && sum(tokens, weight) < topP * total) continue;
      return pick(nucleus(tokens.sort(byLogit), topP * total, weight));
    }
  }

  #pick(tokens: number[], weight: (token: number) => number): number {
    let remaining = this.#random() * sum(tokens, weight);
    for (const token of tokens) {
      remaining -= weight(token);
      if (remaining < 0) return token;
    }
    return tokens[tokens.length - 1];
  }
}

/** Tokens e^-30 times less likely than the best are never drawn in a lifetime; leaving them out keeps a step short. */
const NEGLIGIBLE = 30;

function above(logits: Float32Array, floor: number): number[] {
  const tokens: number[] = [];
  for (let i = 0; i < logits.length; i++) if (logits[i] >= floor) tokens.push(i);
  return tokens;
}

function sum(tokens: number[], weight: (token: number) => number): number {
  let total = 0;
  for (const token of tokens) total += weight(token);
  return total;
}

/** The first tokens of a falling list that reach the mass together; at least one. */
function nucleus(tokens: number[], mass: number, weight: (token: number) => number): number[] {
  let count = 0;
  for (let reached = 0; count < tokens.length && (count === 0 || reached < mass); )
    reached += weight(tokens[count++]);
  return tokens.slice(0, count);
}

/** The first of the largest. NaN never wins; a row of nothing but NaN is an error of the model. */
export function argmax(logits: Float32Array): number {
  const { length } = logits;
  let best = -1;
  let value = -Infinity;
  // Four at a time: a vocabulary is scanned between two steps, and a branch for each entry takes twice as long.
  for (let i = 0; i < length; i += 4) {
    if (logits[i] > value || logits[i + 1] > value || logits[i + 2] > value || logits[i + 3] > value) {
      for (let j = i; j < i + 4 && j < length; j++) {
        if (logits[j] > value) {
          value = logits[j];
          best = j;
        }
      }
    }
  }
  if (best < 0) throw new HfmsError("runtime_error", "the model's logits are not numbers (NaN)");
  return best;
}

const ranges = {
  temperature: { ok: (v: number) => v >= 0, says: "at least 0" },
  topK: { ok: (v: number) => Number.isInteger(v) && v >= 0, says: "a whole number, 0 for all" },
  topP: { ok: (v: number) => v > 0 && v <= 1, says: "above 0 and at most 1" },
  minP: { ok: (v: number) => v >= 0 && v <= 1, says: "between 0 and 1" },
  repetitionPenalty: { ok: (v: number) => v > 0, says: "above 0" },
  frequencyPenalty: { ok: (v: number) => v >= -2 && v <= 2, says: "between -2 and 2" },
  presencePenalty: { ok: (v: number) => v >= -2 && v <= 2, says: "between -2 and 2" },
  seed: { ok: (v: number) => Number.isSafeInteger(v) && v >= 0, says: "a whole number of at least 0" },
} as const;

/** Checks the ranges; throws invalid_request naming the parameter, its value and what it may be. */
export function parseSampling(params: SamplingParams): SamplingParams {
  for (const [name, { ok, says }] of Object.entries(ranges)) {
    const value = params[name as keyof typeof ranges];
    if (value !== undefined && !(Number.isFinite(value) && ok(value))) {
      throw new HfmsError("invalid_request", `${name} is ${value}; it must be ${says}`, { param: name });
    }
  }
  for (const [token, bias] of Object.entries(params.logitBias ?? {})) {
    if (!/^\d+$/.test(token) || !Number.isFinite(bias)) {
      throw new HfmsError(
        "invalid_request",
        `logitBias has ${token}: ${bias}; it maps token ids to numbers`,
        {
          param: "logitBias",
        },
      );
    }
  }
  return params;
}

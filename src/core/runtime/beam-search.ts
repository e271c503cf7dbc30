import type { TokenLogprob } from "../requests.js";
import { candidates } from "./candidates.js";
import { logprobsOf } from "./logprobs.js";
import type { TokenRules } from "./token-rules.js";

export interface BeamSearchOptions {
  /** What the decoder begins with. */
  start: number;
  beams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
  /** Upper bound of new tokens. */
  maxTokens: number;
  stopTokens: ReadonlySet<number>;
  rules: TokenRules;
  repetitionPenalty?: number;
  /** Scores become log probabilities again after the rules. */
  renormalize?: boolean;
  /** Report log probabilities, and this many likeliest tokens beside each. */
  logprobs?: number;
}

/** A finished answer: its tokens behind the start, a stop token too. */
export interface Hypothesis {
  tokens: number[];
  /** Log probability divided by length to the power of the length penalty. */
  score: number;
  logprobs?: TokenLogprob[];
}

/** An answer that is not finished, and the row of the batch that holds its keys and values. */
interface Beam {
  tokens: number[];
  score: number;
  row: number;
  logprobs?: TokenLogprob[];
}

interface Continuation {
  beam: Beam;
  token: number;
  /** Log probability of the whole answer. */
  score: number;
  hits: boolean;
}

/** Less than any log probability, and yet a number: transformers' value for what must not be chosen. */
const HOPELESS = -1e9;

/**
 * Follows the likeliest answers side by side. It is policy alone, without tensors: each call of `advance` gets the
 * logits of every beam's row. Source: transformers, generation/utils.py (_beam_search); in float32 where that is.
 */
export class BeamSearch {
  readonly #options: BeamSearchOptions;
  #running: Beam[];
  #finished: Hypothesis[] = [];
  #improvable = true;
  #scores = new Float32Array(0);
  /** There is nothing more to follow. */
  done = false;

  constructor(options: BeamSearchOptions) {
    this.#options = options;
    const { beams, start } = options;
    this.#running = Array.from({ length: beams }, (_, row) => ({
      tokens: [start],
      row,
      score: row === 0 ? 0 : HOPELESS,
    }));
  }

  /** Of each row the token that the decoder reads next, by row. */
  get tokens(): number[] {
    const tokens = new Array<number>(this.#options.beams).fill(this.#options.start);
    for (const { row, tokens: seen } of this.#running) tokens[row] = seen[seen.length - 1];
    return tokens;
  }

  /** Finished answers, best first. */
  get hypotheses(): readonly Hypothesis[] {
    return this.#finished;
  }

  /**
   * Takes a step. Returns whose keys and values must be copied to which row before the next one.
   * @param logitsOf logits [vocabulary] of a row
   */
  advance(logitsOf: (row: number) => Float32Array): { from: number; to: number }[] {
    const { beams, maxTokens, stopTokens, lengthPenalty, earlyStopping } = this.#options;
    const length = this.#running[0].tokens.length;
    const kept = Math.max(2, 1 + stopTokens.size) * beams;
    const found = this.#running.flatMap((beam) => this.#continuations(beam, logitsOf(beam.row), kept));
    const best = found.sort((a, b) => b.score - a.score).slice(0, kept);
    const last = length >= maxTokens;
    for (const one of best) one.hits = last || stopTokens.has(one.token);

    this.#finish(best.slice(0, beams), length ** lengthPenalty, logitsOf);
    const next = best
      .map((one) => ({ ...one, score: one.hits ? Math.fround(one.score + HOPELESS) : one.score }))
      .sort((a, b) => b.score - a.score)
      .slice(0, beams);
    const allHit = best.every(({ hits }) => hits);
    const copies = this.#follow(next, logitsOf);

    const longest = earlyStopping === "never" && lengthPenalty > 0 ? maxTokens : length;
    const hope = (this.#running[0]?.score ?? HOPELESS) / longest ** lengthPenalty;
    const full = this.#finished.length === beams;
    const worst = full ? this.#finished[beams - 1].score : HOPELESS;
    this.#improvable &&= hope > worst;
    this.done = !this.#improvable || (full && earlyStopping === true) || allHit;
    return copies;
  }

  /** The best tokens behind a beam. */
  #continuations(beam: Beam, logits: Float32Array, count: number): Continuation[] {
    const { rules, repetitionPenalty = 1, renormalize } = this.#options;
    const raw = candidates.overview(logits, 0);
    if (!raw) return [];
    const { fround } = Math;
    if (this.#scores.length !== logits.length) this.#scores = new Float32Array(logits.length);
    const scores = this.#scores;
    for (let i = 0; i < scores.length; i++) scores[i] = logits[i] - raw.best - raw.logSum;
    if (repetitionPenalty !== 1) {
      for (const token of new Set(beam.tokens))
        scores[token] *= scores[token] < 0 ? repetitionPenalty : 1 / repetitionPenalty;
    }
    rules(scores, beam.tokens);
    const { top, best, logSum } = candidates.overview(scores, count) ?? { top: [], best: 0, logSum: 0 };
    const less = renormalize ? best + logSum : 0;
    return top.map(({ token, logit }) => ({
      ...{ beam, token, hits: false },
      score: fround(fround(logit - less) + beam.score),
    }));
  }

  /** Log probabilities of a beam's tokens and of one more. */
  #logprobs(
    { beam, token }: Continuation,
    logitsOf: (row: number) => Float32Array,
  ): TokenLogprob[] | undefined {
    const { logprobs } = this.#options;
    if (logprobs === undefined) return undefined;
    return [...(beam.logprobs ?? []), logprobsOf(logitsOf(beam.row), token, logprobs)];
  }

  #finish(best: readonly Continuation[], divisor: number, logitsOf: (row: number) => Float32Array): void {
    const { beams, earlyStopping } = this.#options;
    const closed = (this.#finished.length === beams && earlyStopping === true) || !this.#improvable;
    if (closed) return;
    for (const one of best.filter(({ hits }) => hits)) {
      const tokens = [...one.beam.tokens.slice(1), one.token];
      const score = Math.fround(one.score / divisor);
      this.#finished.push({ tokens, score, logprobs: this.#logprobs(one, logitsOf) });
    }
    this.#finished.sort((a, b) => b.score - a.score);
    this.#finished.length = Math.min(this.#finished.length, beams);
  }

  /** A beam that goes on keeps its row for its first continuation; the others take the rows of those that end here. */
  #follow(
    next: readonly Continuation[],
    logitsOf: (row: number) => Float32Array,
  ): { from: number; to: number }[] {
    const copies: { from: number; to: number }[] = [];
    const taken = new Set<number>();
    const stays = next.map(({ beam }) => !taken.has(beam.row) && taken.add(beam.row) !== undefined);
    const rows = Array.from({ length: this.#options.beams }, (_, row) => row);
    const free = rows.filter((row) => !taken.has(row));
    this.#running = next.map((one, i) => {
      const { beam, token, score } = one;
      const row = stays[i] ? beam.row : (free.pop() as number);
      if (row !== beam.row) copies.push({ from: beam.row, to: row });
      const tokens = [...beam.tokens, token];
      return { tokens, score, row, logprobs: this.#logprobs(one, logitsOf) };
    });
    return copies;
  }
}

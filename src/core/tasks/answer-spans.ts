import type { SpanAnswer } from "../requests.js";
import type { PlacedToken } from "../text/types.js";

/** A question with a piece of its context, and what the model said of it. */
export interface SpanPiece {
  /** [tokens, 2]: how well an answer begins and ends at each. */
  logits: Float32Array;
  /** Tokens of the context. */
  placed: readonly PlacedToken[];
  /** Where they begin in the row. */
  lead: number;
  /** Tokens of the row that stand for its beginning; they may say that there is no answer. */
  starts: readonly number[];
}

interface Candidate {
  from: number;
  to: number;
  score: number;
}

/**
 * The best answers to a question out of the pieces of its context. Source: transformers 4, pipelines/question_answering.py
 * (select_starts_ends, decode_spans, postprocess with align_to_words).
 */
export function bestAnswers(
  pieces: readonly SpanPiece[],
  {
    context,
    topK,
    maxAnswerTokens,
    allowNone,
  }: { context: string; topK: number; maxAnswerTokens: number; allowNone: boolean },
): SpanAnswer[] {
  const answers = new Map<string, SpanAnswer>();
  let none = Number.POSITIVE_INFINITY;
  for (const piece of pieces) {
    const [begins, ends] = [probabilities(piece, 0), probabilities(piece, 1)];
    none = Math.min(none, begins[0] * ends[0]);
    begins[0] = 0;
    ends[0] = 0;
    // Spans of one word become one answer, so there must be more of them than answers.
    for (const { from, to, score } of candidates(begins, ends, { maxAnswerTokens, count: topK * 2 + 10 })) {
      const [first, last] = [piece.placed[from - piece.lead], piece.placed[to - piece.lead]];
      if (!first || !last) continue;
      const start = wordOf(piece.placed, first.word)[0].start;
      const { end } = wordOf(piece.placed, last.word).at(-1) as PlacedToken;
      const answer = context.slice(start, end);
      const known = answers.get(answer.toLowerCase());
      if (known) known.score += score;
      else answers.set(answer.toLowerCase(), { answer, score, start, end });
    }
  }
  const all = [...answers.values()];
  if (allowNone) all.push({ answer: "", score: none, start: 0, end: 0 });
  return all.sort((a, b) => b.score - a.score).slice(0, topK);
}

/** Probabilities of one column among the tokens that may be part of an answer; 0 for all others. */
function probabilities({ logits, placed, lead, starts }: SpanPiece, column: 0 | 1): Float64Array {
  const allowed = new Set(starts);
  for (let i = 0; i < placed.length; i++) allowed.add(lead + i);
  const result = new Float64Array(logits.length / 2);
  const values = [...allowed].map((i) => [i, logits[2 * i + column]] as const);
  const largest = values.reduce((most, [, value]) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  let sum = 0;
  for (const [i, value] of values) sum += result[i] = Math.exp(value - largest);
  return result.map((value) => value / sum);
}

/** The best `count` spans of at most `maxAnswerTokens`, best first. */
function candidates(
  begins: Float64Array,
  ends: Float64Array,
  { maxAnswerTokens, count }: { maxAnswerTokens: number; count: number },
): Candidate[] {
  const best: Candidate[] = [];
  for (let from = 0; from < begins.length; from++) {
    if (begins[from] === 0) continue;
    for (let to = from; to < Math.min(ends.length, from + maxAnswerTokens); to++) {
      const score = begins[from] * ends[to];
      if (score === 0 || (best.length === count && score <= best[count - 1].score)) continue;
      let at = best.length;
      while (at > 0 && best[at - 1].score < score) at--;
      best.splice(at, 0, { from, to, score });
      if (best.length > count) best.pop();
    }
  }
  return best;
}

function wordOf(placed: readonly PlacedToken[], word: number): PlacedToken[] {
  return placed.filter((token) => token.word === word);
}

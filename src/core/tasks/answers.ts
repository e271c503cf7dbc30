import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { AnswerEvent, Choice, GenerateEvent, GenerateRequest } from "../requests.js";
import type { GenerationEnd } from "../scheduler/generation-sequence.js";

/** Answers of one request, at most. */
const MOST_ANSWERS = 64;

/** An answer that is complete. */
export interface Finished {
  choice: Choice;
  /** Mean log probability of its tokens. */
  score: number;
  end: GenerationEnd;
}

/** How many answers are made, and how many are given. */
export function answerCounts({ n = 1, bestOf }: GenerateRequest): { made: number; kept: number } {
  for (const [param, value] of Object.entries({ n, bestOf: bestOf ?? n })) {
    if (Number.isInteger(value) && value >= 1 && value <= MOST_ANSWERS) continue;
    throw new HfmsError(
      "invalid_request",
      `${param} is ${value}; it must be a whole number from 1 to ${MOST_ANSWERS}`,
      { param },
    );
  }
  if (bestOf !== undefined && bestOf < n) {
    throw new HfmsError("invalid_request", `bestOf is ${bestOf}, fewer than the ${n} answers asked for`, {
      param: "bestOf",
    });
  }
  return { made: bestOf ?? n, kept: n };
}

export function best(finished: readonly Finished[], count: number): Choice[] {
  if (finished.length === count) return finished.map(({ choice }) => choice);
  const ranked = [...finished].sort((a, b) => b.score - a.score || a.choice.index - b.choice.index);
  return ranked.slice(0, count).map(({ choice }, index) => ({ ...choice, index }));
}

/** The events of an answer that comes at once. */
export function* wholeAnswer(choice: Choice, ends: ReadonlySet<number>): Iterable<AnswerEvent> {
  const { index, text, reasoning, toolCalls = [], logprobs } = choice;
  const tokens = choice.tokens.filter((token) => !ends.has(token));
  if (reasoning) yield { type: "reasoning", index, text: reasoning, tokens: [] };
  if (text !== "") yield { type: "text", index, text, tokens, ...(logprobs && { logprobs }) };
  for (const [call, { id, name, arguments: json }] of toolCalls.entries())
    yield { type: "tool_call", index, call, id, name, arguments: json };
}

/** The last event: the answers, and what they cost. */
export function done(
  model: LoadedModel,
  promptTokens: number,
  finished: readonly Finished[],
  choices: Choice[],
  start: number,
): GenerateEvent {
  const [{ end: first }] = finished;
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  const completionTokens = sum(finished.map(({ choice }) => choice.tokens.length));
  const generateMs = performance.now() - start - first.queueMs - first.promptMs;
  const drafted = sum(finished.map(({ end }) => end.draftedTokens));
  const computed = promptTokens - first.cachedTokens;
  return {
    type: "done",
    text: choices[0].text,
    tokens: choices[0].tokens,
    finishReason: choices[0].finishReason,
    choices,
    usage: {
      prompt_tokens: promptTokens,
      completion_tokens: completionTokens,
      total_tokens: promptTokens + completionTokens,
      cached_tokens: first.cachedTokens,
    },
    timings: {
      load_ms: model.ready.loadMs,
      queue_ms: first.queueMs,
      prompt_ms: first.promptMs,
      generate_ms: generateMs,
      prompt_per_second: rate(computed, first.promptMs),
      // The first token of each comes out of the prompt's own run.
      generate_per_second: rate(completionTokens - finished.length, generateMs),
      ...(drafted > 0 && {
        drafted_tokens: drafted,
        accepted_tokens: sum(finished.map(({ end }) => end.acceptedTokens)),
      }),
    },
  };
}

function rate(count: number, ms: number): number {
  return count > 0 && ms > 0 ? (count * 1000) / ms : 0;
}

import type { Choice, Engine, GenerateEvent, GenerateRequest } from "../../../../core/index.js";
import { interleaved } from "../../../interleaved.js";
import { scored } from "./scored.js";

type Done = Extract<GenerateEvent, { type: "done" }>;

/** `finished` are the answers to one prompt, `done` those to all. */
export type CompletionEvent = GenerateEvent | { type: "finished"; choices: Choice[] };

export interface TogetherOptions {
  /** Answers to each prompt. */
  n?: number;
  /** Only the prompts are wanted, with their log probabilities. */
  promptsOnly?: boolean;
}

/**
 * Answers prompts side by side, as if they were one request: answer `i` of prompt `p` has the index `p * n + i`, and the
 * usage is that of all.
 */
export async function* generateTogether(
  engine: Engine,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
  { n = 1, promptsOnly = false }: TogetherOptions,
): AsyncGenerator<CompletionEvent> {
  const ends: Done[] = new Array(requests.length);
  const begin = (request: GenerateRequest, stop: AbortSignal) => {
    const events = engine.generate(request, stop);
    return promptsOnly ? scored(events) : events;
  };
  let ready = false;
  const sources = requests.map((request) => (stop: AbortSignal) => begin(request, stop));
  for await (const { source, event } of interleaved(sources, signal)) {
    if (event.type === "ready") {
      if (!ready) yield event;
      ready = true;
    } else if (event.type === "notice" || event.type === "progress") {
      // All of them wait for one model.
      if (source === 0) yield event;
    } else if (event.type === "done") {
      const choices = event.choices.map((choice) => ({ ...choice, index: source * n + choice.index }));
      ends[source] = { ...event, choices };
      yield { type: "finished", choices };
    } else yield { ...event, index: source * n + event.index };
  }
  yield sumOf(ends);
}

function sumOf(ends: readonly Done[]): Done {
  const sum = (values: (number | undefined)[]): number => values.reduce<number>((a, b = 0) => a + b, 0);
  const guessed = ends.some(({ timings }) => timings.drafted_tokens !== undefined);
  return {
    ...ends[0],
    choices: ends.flatMap(({ choices }) => choices),
    usage: {
      prompt_tokens: sum(ends.map(({ usage }) => usage.prompt_tokens)),
      completion_tokens: sum(ends.map(({ usage }) => usage.completion_tokens)),
      total_tokens: sum(ends.map(({ usage }) => usage.total_tokens)),
      cached_tokens: sum(ends.map(({ usage }) => usage.cached_tokens)),
    },
    timings: {
      ...ends[0].timings,
      ...(guessed && {
        drafted_tokens: sum(ends.map(({ timings }) => timings.drafted_tokens)),
        accepted_tokens: sum(ends.map(({ timings }) => timings.accepted_tokens)),
      }),
    },
  };
}

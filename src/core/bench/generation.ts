import type { Engine } from "../engine.js";
import { HfmsError } from "../errors.js";
import type { GenerateRequest } from "../requests.js";
import type { BenchMeasure } from "./measures.js";
import { percentile } from "./statistics.js";
import { together } from "./together.js";

/** When the pieces of one stream came; milliseconds since all streams were asked for. */
export interface Stream {
  pieces: { at: number; tokens: number }[];
  promptTokens: number;
  newTokens: number;
}

/** All prompts at once, each as a request of its own, read as a user reads them: event by event. */
export async function measureGeneration(
  engine: Engine,
  { prompts, ...request }: Omit<GenerateRequest, "prompt"> & { prompts: string[] },
  signal?: AbortSignal,
): Promise<Stream[]> {
  const start = performance.now();
  return together(
    prompts.map((prompt) => async (signal): Promise<Stream> => {
      const pieces: Stream["pieces"] = [];
      for await (const event of engine.generate(
        { ...request, prompt, raw: true, temperature: 0, ignoreEos: true },
        signal,
      )) {
        if (event.type === "text" || event.type === "reasoning") {
          pieces.push({ at: performance.now() - start, tokens: event.tokens.length });
        } else if (event.type === "done") {
          const { prompt_tokens, completion_tokens } = event.usage;
          // Tokens that make no text of their own (half a character, an end) come with the end of the stream.
          const seen = pieces.reduce((sum, { tokens }) => sum + tokens, 0);
          if (seen < completion_tokens || pieces.length === 0) {
            pieces.push({ at: performance.now() - start, tokens: completion_tokens - seen });
          }
          return { pieces, promptTokens: prompt_tokens, newTokens: completion_tokens };
        }
      }
      throw new HfmsError("internal_error", "the model stopped without an end of its answer");
    }),
    signal,
  );
}

type GenerationMeasures = Partial<Record<BenchMeasure, number>>;

/**
 * The numbers of one run. A rate that would be taken over no time at all is absent: of answers of one piece, there is
 * no generation to time.
 */
export function generationMeasures(streams: Stream[]): GenerationMeasures {
  const firsts = streams.map(({ pieces }) => pieces[0].at);
  const ends = streams.map(({ pieces }) => pieces[pieces.length - 1].at);
  const gaps = streams.flatMap(({ pieces }) => pieces.slice(1).map(({ at }, i) => at - pieces[i].at));
  const sum = (of: (stream: Stream) => number): number =>
    streams.reduce((all, stream) => all + of(stream), 0);
  const end = Math.max(...ends);
  const between = (share: number): number | undefined =>
    gaps.length > 0 ? percentile(gaps, share) : undefined;
  const perStream = streams
    .map((stream, i) => perSecond(behindFirst(stream), ends[i] - firsts[i]))
    .filter((rate) => rate !== undefined);
  return {
    ttft_ms: percentile(firsts, 0.5),
    ttft_max_ms: Math.max(...firsts),
    itl_p50_ms: between(0.5),
    itl_p90_ms: between(0.9),
    itl_p99_ms: between(0.99),
    itl_max_ms: between(1),
    prompt_per_second: perSecond(
      sum(({ promptTokens }) => promptTokens),
      Math.max(...firsts),
    ),
    generate_per_second: perSecond(tokensAfter(streams, Math.min(...firsts)), end - Math.min(...firsts)),
    generate_per_second_stream: perStream.length > 0 ? percentile(perStream, 0.5) : undefined,
    total_per_second: perSecond(
      sum(({ promptTokens, newTokens }) => promptTokens + newTokens),
      end,
    ),
  };
}

function behindFirst({ newTokens, pieces }: Stream): number {
  return newTokens - pieces[0].tokens;
}

/** Tokens that came later than the first one of all. */
function tokensAfter(streams: Stream[], moment: number): number {
  const late = streams.flatMap(({ pieces }) => pieces).filter(({ at }) => at > moment);
  return late.reduce((sum, { tokens }) => sum + tokens, 0);
}

function perSecond(count: number, ms: number): number | undefined {
  return count > 0 && ms > 0 ? (count * 1000) / ms : undefined;
}

import type { Engine } from "../engine.js";
import { HfmsError } from "../errors.js";
import type { EmbedRequest } from "../requests.js";
import { createRandom } from "../runtime/random.js";
import type { BenchMeasure } from "./measures.js";
import { shuffledWords } from "./prompts.js";
import { percentile } from "./statistics.js";
import { together } from "./together.js";

/** One caller's request; milliseconds since all were sent. */
export interface Request {
  ms: number;
  texts: number;
  tokens: number;
}

/** Each list of texts as a request of its own, all at once, from the first word in to the last vector out. */
export async function measureEmbedding(
  engine: Engine,
  { callers, ...request }: Omit<EmbedRequest, "input"> & { callers: string[][] },
  signal?: AbortSignal,
): Promise<Request[]> {
  const start = performance.now();
  return together(
    callers.map((input) => async (signal): Promise<Request> => {
      for await (const event of engine.embed({ ...request, input, truncate: true }, signal)) {
        if (event.type !== "done") continue;
        return { ms: performance.now() - start, texts: event.count, tokens: event.usage.total_tokens };
      }
      throw new HfmsError("internal_error", "the model stopped without an end of its answer");
    }),
    signal,
  );
}

/** The numbers of one run. */
export function embeddingMeasures(requests: Request[]): Partial<Record<BenchMeasure, number>> {
  const times = requests.map(({ ms }) => ms);
  const seconds = Math.max(...times) / 1000;
  return {
    texts_per_second: requests.reduce((sum, { texts }) => sum + texts, 0) / seconds,
    tokens_per_second: requests.reduce((sum, { tokens }) => sum + tokens, 0) / seconds,
    latency_p50_ms: percentile(times, 0.5),
    latency_p90_ms: percentile(times, 0.9),
    latency_p99_ms: percentile(times, 0.99),
    latency_max_ms: Math.max(...times),
  };
}

const SHORTEST_WORDS = 4;
const LONGEST_WORDS = 180;
/** Most texts are short: the mean is about a quarter of the way from the shortest to the longest. */
const LENGTH_BIAS = 3;

/** The texts of each caller: 4 to 180 words, mostly short, in no order of length; the same for the same seed. */
export function embeddingTexts({
  callers,
  texts,
  seed,
}: {
  callers: number;
  texts: number;
  seed: number;
}): string[][] {
  const random = createRandom(seed);
  const text = (): string => {
    const words = SHORTEST_WORDS + Math.floor((LONGEST_WORDS + 1 - SHORTEST_WORDS) * random() ** LENGTH_BIAS);
    return shuffledWords(words, random).split(" ").slice(0, words).join(" ");
  };
  return Array.from({ length: callers }, () => Array.from({ length: texts }, text));
}

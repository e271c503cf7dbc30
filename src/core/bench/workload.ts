import type { Engine } from "../engine.js";
import { HfmsError } from "../errors.js";
import type { ModelChoice } from "../requests.js";
import { embeddingMeasures, embeddingTexts, measureEmbedding } from "./embedding.js";
import { generationMeasures, measureGeneration, type Stream } from "./generation.js";
import type { Run } from "./meters.js";
import type { PlannedCase } from "./plan.js";
import { PromptMaker } from "./prompts.js";
import type { BenchSettings } from "./request.js";

interface Options {
  engine: Engine;
  choice: ModelChoice;
  settings: BenchSettings;
  signal?: AbortSignal;
}

/** Makes what a run needs, which takes no part in the time, and gives the work that is timed. */
export type Workload = (
  options: Options,
) => (planned: PlannedCase, run: number) => Promise<() => Promise<Run>>;

/** Prompts of their own for every stream of every run. */
export const generationWorkload: Workload = ({ engine, choice, settings, signal }) => {
  const maker = new PromptMaker((texts) => engine.tokenize({ ...choice, texts }, signal), settings.seed);
  return async ({ prompt_tokens = 1, max_tokens = 1, batch }) => {
    const prompts = await maker.make(batch, prompt_tokens, signal);
    const asked = { ...choice, prompts, maxTokens: max_tokens, speculation: settings.speculation };
    return async () => {
      const streams = await measureGeneration(engine, asked, signal);
      requireLengths(streams, prompt_tokens, max_tokens);
      const count = streams.reduce((sum, { newTokens }) => sum + newTokens, 0);
      return { measures: generationMeasures(streams), made: { count, as: "token" } };
    };
  };
};

/** The same texts in every run of a case: nothing is kept of a text that was embedded. */
export const embeddingWorkload: Workload = ({ engine, choice, settings, signal }) => {
  return async ({ texts = 1, batch }) => {
    const callers = embeddingTexts({ callers: batch, texts, seed: settings.seed });
    return async () => {
      const requests = await measureEmbedding(engine, { ...choice, callers }, signal);
      return { measures: embeddingMeasures(requests), made: { count: batch * texts, as: "text" } };
    };
  };
};

/** Numbers of other lengths than those that stand beside them would be wrong without anyone noticing. */
function requireLengths(streams: Stream[], promptTokens: number, maxTokens: number): void {
  for (const stream of streams) {
    if (stream.promptTokens === promptTokens && stream.newTokens === maxTokens) continue;
    throw new HfmsError(
      "internal_error",
      `the model read ${stream.promptTokens} and made ${stream.newTokens} tokens where ${promptTokens} and ${maxTokens} were asked for`,
    );
  }
}

import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { RankEvent, RankRequest } from "../requests.js";
import { classifyAll, requireClassifier } from "./classifier.js";
import { sigmoid } from "./scores.js";

/** Yields the score of each document for the query, in the order of the documents, then `done`. */
export async function* rank(
  model: LoadedModel,
  request: RankRequest,
  signal?: AbortSignal,
): AsyncGenerator<RankEvent> {
  const { query, documents, truncate } = request;
  const activation = activationOf(model, request);
  const start = performance.now();
  const name = (index: number): string => `document ${index + 1} with the query`;
  const pairs = documents.map((pair) => ({ text: query, pair }));
  let promptTokens = 0;
  for await (const result of classifyAll(model, pairs, { truncate, name, param: "documents", signal })) {
    const { logits, ...facts } = result;
    promptTokens += facts.tokens;
    yield { type: "score", ...facts, score: activation(logits[0]) };
  }
  yield {
    type: "done",
    count: documents.length,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    timings: { load_ms: model.ready.loadMs, rank_ms: performance.now() - start },
  };
}

const activations: Record<string, (logit: number) => number> = {
  Identity: (logit) => logit,
  Sigmoid: sigmoid,
};

function activationOf(model: LoadedModel, { raw }: RankRequest): (logit: number) => number {
  const { activation = "Sigmoid" } = requireClassifier(model);
  if (raw !== undefined) return raw ? activations.Identity : activations.Sigmoid;
  if (Object.hasOwn(activations, activation)) return activations[activation];
  throw new HfmsError(
    "unsupported_model",
    `${model.manifest.model} asks for the activation function ${activation}, which hfms does not have`,
    { hint: "ask for logits (raw) or their sigmoid", param: "raw" },
  );
}

import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { RankEvent, RankRequest } from "../requests.js";
import { readActivation } from "../text/sentence-transformers.js";
import { classifyAll, requireClassifier } from "./classifier.js";
import { sigmoid } from "./scores.js";

/** Yields the score of each document for the query, in the order of the documents, then `done`. */
export async function* rank(
  model: LoadedModel,
  request: RankRequest,
  signal?: AbortSignal,
): AsyncGenerator<RankEvent> {
  const { query, documents, truncate } = request;
  const activation = await activationOf(model, request);
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

async function activationOf(model: LoadedModel, { raw }: RankRequest): Promise<(logit: number) => number> {
  const classifier = requireClassifier(model);
  if (raw !== undefined) return raw ? activations.Identity : activations.Sigmoid;
  const name = (await readActivation(model.textDirectory)) ?? classifier.activation ?? "Sigmoid";
  if (Object.hasOwn(activations, name)) return activations[name];
  throw new HfmsError(
    "unsupported_model",
    `${model.manifest.model} asks for the activation function ${name}, which hfms does not have`,
    { hint: "ask for logits (raw) or their sigmoid", param: "raw" },
  );
}

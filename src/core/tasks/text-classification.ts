import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { ClassifyEvent, ClassifyRequest, LabelScore } from "../requests.js";
import { classifyAll, requireClassifier } from "./classifier.js";
import { probabilities } from "./scores.js";

/** Yields the labels of each input with their scores, best first, in the order of the input, then `done`. */
export async function* classify(
  model: LoadedModel,
  request: ClassifyRequest,
  signal?: AbortSignal,
): AsyncGenerator<ClassifyEvent> {
  const { input, topK, raw, truncate } = request;
  if (topK !== undefined && !(Number.isInteger(topK) && topK > 0)) {
    throw new HfmsError("invalid_request", `topK is ${topK}; it must be a whole number above 0`, {
      param: "topK",
    });
  }
  const { labels, problem } = requireClassifier(model);
  const start = performance.now();
  const name = (index: number): string =>
    `${typeof input[index] === "string" ? "text" : "pair"} ${index + 1}`;
  let promptTokens = 0;
  for await (const result of classifyAll(model, input, { truncate, name, param: "input", signal })) {
    const { logits, ...facts } = result;
    promptTokens += facts.tokens;
    const scores = raw ? logits : probabilities(logits, problem);
    yield { type: "classification", ...facts, labels: bestFirst(labels, scores).slice(0, topK) };
  }
  yield {
    type: "done",
    count: input.length,
    problem,
    usage: { prompt_tokens: promptTokens, total_tokens: promptTokens },
    timings: { load_ms: model.ready.loadMs, classify_ms: performance.now() - start },
  };
}

function bestFirst(labels: readonly string[], scores: ArrayLike<number>): LabelScore[] {
  return labels.map((label, i) => ({ label, score: scores[i] })).sort((a, b) => b.score - a.score);
}

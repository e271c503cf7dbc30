import type { ClassificationProblem } from "../requests.js";

/** What logits of labels mean: probabilities of one label among all or of each by itself, or the quantities themselves. */
export function probabilities(logits: Float32Array, problem: ClassificationProblem): ArrayLike<number> {
  if (problem === "regression") return logits;
  return problem === "single_label_classification" ? softmax(logits) : Array.from(logits, sigmoid);
}

/** Probabilities of one choice among all: exp(xᵢ) / Σ exp(x), in float64. */
export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  const powers = values.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

/** The probability of one choice by itself: 1 / (1 + exp(-x)), in float64. */
export function sigmoid(logit: number): number {
  return 1 / (1 + Math.exp(-logit));
}

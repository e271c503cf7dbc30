import { HfmsError } from "../errors.js";
import type { TokenLogprob } from "../requests.js";
import { candidates } from "./candidates.js";
import { exponential, LEAST_EXPONENT } from "./exponential.js";
import { argmax } from "./largest-logits.js";

/**
 * The natural logarithm of a token's probability under logits [vocabulary] as they are, and the `top` likeliest tokens,
 * best first, of equals the lower id. -Infinity where a token is impossible; such ones are not among the likeliest.
 */
export function logprobsOf(logits: Float32Array, token: number, top: number): TokenLogprob {
  if (!(token >= 0 && token < logits.length)) {
    throw new HfmsError("runtime_error", `token ${token} is not in the vocabulary of ${logits.length}`);
  }
  const best = logits[argmax(logits)];
  const logSum = Math.log(sumBeside(logits, best));
  const logprob = (logit: number): number => {
    // Infinity - Infinity is not a number.
    if (logit === best) return -logSum;
    return logit > -Infinity ? logit - best - logSum : -Infinity;
  };
  return {
    token,
    logprob: logprob(logits[token]),
    top: candidates
      .largest(logits, top)
      .map(({ token: id, logit }) => ({ token: id, logprob: logprob(logit) })),
  };
}

/** Sum of e^(logit - best), at least 1. */
function sumBeside(logits: Float32Array, best: number): number {
  const { length } = logits;
  let sum = 0;
  for (let i = 0; i < length; i++) {
    const distance = logits[i] - best;
    if (distance >= LEAST_EXPONENT) sum += exponential(distance);
  }
  return Math.max(sum, 1);
}

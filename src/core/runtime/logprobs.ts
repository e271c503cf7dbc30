import { HfmsError } from "../errors.js";
import type { TokenLogprob } from "../requests.js";
import { nothingPossible } from "./argmax.js";
import { candidates } from "./candidates.js";

/**
 * The natural logarithm of a token's probability under logits [vocabulary] as they are, and the `top` likeliest tokens,
 * best first, of equals the lower id. -Infinity where a token is impossible; such ones are not among the likeliest.
 */
export function logprobsOf(logits: Float32Array, token: number, top: number): TokenLogprob {
  if (!(Number.isInteger(token) && token >= 0 && token < logits.length)) {
    throw new HfmsError("runtime_error", `token ${token} is not in the vocabulary of ${logits.length}`);
  }
  const overview = candidates.overview(logits, top);
  if (overview === undefined) throw nothingPossible();
  const { best, logSum } = overview;
  const logprob = (logit: number): number => {
    // Infinity - Infinity is not a number.
    if (logit === best) return 0 - logSum;
    return logit > -Infinity ? logit - best - logSum : -Infinity;
  };
  return {
    token,
    logprob: logprob(logits[token]),
    top: overview.top.map(({ token: id, logit }) => ({ token: id, logprob: logprob(logit) })),
  };
}

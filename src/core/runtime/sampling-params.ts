import { HfmsError } from "../errors.js";
import type { SamplingParams } from "../requests.js";

/** Checks the ranges; throws invalid_request naming the parameter, its value and what it may be. */
export function parseSampling(params: SamplingParams): SamplingParams {
  for (const [name, { ok, says }] of Object.entries(ranges)) {
    const value = params[name as keyof typeof ranges];
    if (value !== undefined && !(Number.isFinite(value) && ok(value))) {
      throw new HfmsError("invalid_request", `${name} is ${value}; it must be ${says}`, { param: name });
    }
  }
  const { ignoreEos } = params;
  if (ignoreEos !== undefined && typeof ignoreEos !== "boolean") {
    throw new HfmsError("invalid_request", `ignoreEos is ${ignoreEos}; it must be true or false`, {
      param: "ignoreEos",
    });
  }
  for (const [token, bias] of Object.entries(params.logitBias ?? {})) {
    if (!/^\d+$/.test(token) || !Number.isFinite(bias)) {
      throw new HfmsError(
        "invalid_request",
        `logitBias has ${token}: ${bias}; it maps token ids to numbers`,
        {
          param: "logitBias",
        },
      );
    }
  }
  return params;
}

const ranges = {
  temperature: { ok: (v: number) => v >= 0, says: "at least 0" },
  topK: { ok: (v: number) => Number.isInteger(v) && v >= 0, says: "a whole number, 0 for all" },
  topP: { ok: (v: number) => v > 0 && v <= 1, says: "above 0 and at most 1" },
  minP: { ok: (v: number) => v >= 0 && v <= 1, says: "between 0 and 1" },
  repetitionPenalty: { ok: (v: number) => v > 0, says: "above 0" },
  frequencyPenalty: { ok: (v: number) => v >= -2 && v <= 2, says: "between -2 and 2" },
  presencePenalty: { ok: (v: number) => v >= -2 && v <= 2, says: "between -2 and 2" },
  typicalP: { ok: (v: number) => v > 0 && v <= 1, says: "above 0 and at most 1" },
  minTokens: { ok: (v: number) => Number.isSafeInteger(v) && v >= 0, says: "a whole number of at least 0" },
  logprobs: {
    ok: (v: number) => Number.isInteger(v) && v >= 0 && v <= 20,
    says: "a whole number from 0 to 20",
  },
  seed: { ok: (v: number) => Number.isSafeInteger(v) && v >= 0, says: "a whole number of at least 0" },
} as const;

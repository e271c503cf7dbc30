import * as Flags from "@oclif/core/flags";
import type { GenerateRequest } from "../core/index.js";
import { numberFlag } from "./number-flag.js";

const helpGroup = "GENERATION";

/** The flags that shape generated text; ranges are those of `SamplingParams`. */
export const samplingFlags = {
  "max-tokens": numberFlag({
    integer: true,
    min: 1,
    helpGroup,
    summary: "stop after this many tokens; default what the context has left",
  }),
  temperature: numberFlag({
    min: 0,
    helpGroup,
    summary: "0 always takes the likeliest token; 1 is the model's own spread",
  }),
  "top-p": numberFlag({
    above: 0,
    max: 1,
    helpGroup,
    summary: "choose among the likeliest tokens that make up this share",
  }),
  "top-k": numberFlag({
    integer: true,
    min: 0,
    helpGroup,
    summary: "choose among the k likeliest tokens; 0 means all",
  }),
  "min-p": numberFlag({
    min: 0,
    max: 1,
    helpGroup,
    summary: "drop tokens less likely than this share of the likeliest",
  }),
  "repetition-penalty": numberFlag({
    above: 0,
    helpGroup,
    summary: "above 1, tokens of the prompt and the answer get less likely",
  }),
  "frequency-penalty": numberFlag({
    min: -2,
    max: 2,
    helpGroup,
    summary: "lower a token's score for each time it is in the answer",
  }),
  "presence-penalty": numberFlag({
    min: -2,
    max: 2,
    helpGroup,
    summary: "lower a token's score once it is in the answer",
  }),
  seed: numberFlag({ integer: true, min: 0, helpGroup, summary: "the same seed gives the same text" }),
  stop: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpGroup,
    helpValue: "<text>",
    summary: "end the answer before this text; may be given several times",
  }),
};

type SamplingFlagValues = Partial<Record<Exclude<keyof typeof samplingFlags, "stop">, number>> & {
  stop?: string[];
};

/** The flags' values as `GenerateRequest` names them. */
export function samplingParams(
  flags: SamplingFlagValues,
): Omit<GenerateRequest, "model" | "prompt" | "system" | "raw"> {
  return {
    maxTokens: flags["max-tokens"],
    temperature: flags.temperature,
    topP: flags["top-p"],
    topK: flags["top-k"],
    minP: flags["min-p"],
    repetitionPenalty: flags["repetition-penalty"],
    frequencyPenalty: flags["frequency-penalty"],
    presencePenalty: flags["presence-penalty"],
    seed: flags.seed,
    stop: flags.stop,
  };
}

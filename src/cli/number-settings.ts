import type { GenerateRequest } from "../core/index.js";
import { type NumberRange, parseNumber } from "./number-flag.js";

/** Numbers that shape an answer: flags of `run` and `chat`, and what `/set` changes. Ranges as in `SamplingParams`. */
export const numberSettings = {
  "max-tokens": {
    helpGroup: "ANSWER",
    integer: true,
    min: 1,
    summary: "stop after this many tokens; default what the context has left",
  },
  "min-tokens": {
    helpGroup: "ANSWER",
    integer: true,
    min: 0,
    summary: "let no answer end before this many tokens",
  },
  temperature: {
    helpGroup: "SAMPLING",
    min: 0,
    summary: "0 always takes the likeliest token; 1 is the model's own spread",
  },
  "top-p": {
    helpGroup: "SAMPLING",
    above: 0,
    max: 1,
    summary: "choose among the likeliest tokens that make up this share",
  },
  "top-k": {
    helpGroup: "SAMPLING",
    integer: true,
    min: 0,
    summary: "choose among the k likeliest tokens; 0 means all",
  },
  "min-p": {
    helpGroup: "SAMPLING",
    min: 0,
    max: 1,
    summary: "drop tokens less likely than this share of the likeliest",
  },
  "typical-p": {
    helpGroup: "SAMPLING",
    above: 0,
    max: 1,
    summary: "choose among the least surprising tokens that make up this share",
  },
  "repetition-penalty": {
    helpGroup: "SAMPLING",
    above: 0,
    summary: "above 1, tokens of the prompt and the answer get less likely",
  },
  "frequency-penalty": {
    helpGroup: "SAMPLING",
    min: -2,
    max: 2,
    summary: "lower a token's score for each time it is in the answer",
  },
  "presence-penalty": {
    helpGroup: "SAMPLING",
    min: -2,
    max: 2,
    summary: "lower a token's score once it is in the answer",
  },
  seed: { helpGroup: "SAMPLING", integer: true, min: 0, summary: "the same seed gives the same text" },
} as const satisfies Record<string, NumberRange & { helpGroup: string; summary: string }>;

export type NumberSetting = keyof typeof numberSettings;
export const numberSettingNames = Object.keys(numberSettings) as NumberSetting[];

/** The values under the names of `GenerateRequest`. */
export function numberOptions(values: { [name in NumberSetting]?: number }): Partial<GenerateRequest> {
  return Object.fromEntries(numberSettingNames.map((name) => [fieldOf(name), values[name]]));
}

/** One value, as somebody typed it outside of a flag. Throws invalid_request when it is out of its range. */
export function parseSetting(name: NumberSetting, typed: string): Partial<GenerateRequest> {
  return { [fieldOf(name)]: parseNumber(typed, numberSettings[name], name, name) };
}

/** `top-p` is `topP`. */
export function fieldOf(name: NumberSetting): keyof GenerateRequest {
  return name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()) as keyof GenerateRequest;
}

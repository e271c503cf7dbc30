import * as Flags from "@oclif/core/flags";
import { type GenerateRequest, HfmsError } from "../core/index.js";
import { numberFlag } from "./number-flag.js";

/** How many answers are made and returned, and what is told of them. */
export const choiceFlags = {
  n: numberFlag({
    char: "n",
    integer: true,
    min: 1,
    helpGroup: "ANSWER",
    summary: "make this many answers; they are printed when all are there",
  }),
  "best-of": numberFlag({
    integer: true,
    min: 1,
    helpGroup: "ANSWER",
    summary: "make this many answers and keep the likeliest (as many as --n)",
  }),
  logprobs: numberFlag({
    integer: true,
    min: 0,
    max: 20,
    helpGroup: "ANSWER",
    summary: "with --json: log probabilities of the tokens, and of this many likeliest ones beside each",
  }),
  echo: Flags.boolean({ helpGroup: "ANSWER", summary: "with --raw: put the prompt before the answer" }),
};

/** The flags' values as `GenerateRequest` names them. */
export function choiceOptions(flags: {
  n?: number;
  "best-of"?: number;
  logprobs?: number;
  echo?: boolean;
  raw?: boolean;
  json?: boolean;
}): Pick<GenerateRequest, "n" | "bestOf" | "logprobs" | "echo"> {
  const { n = 1, "best-of": bestOf } = flags;
  if (bestOf !== undefined && bestOf < n) {
    throw new HfmsError("invalid_request", `--best-of ${bestOf} is less than --n ${n}`, {
      hint: "of so many answers, --n are kept",
      param: "best-of",
    });
  }
  if (flags.echo && !flags.raw) {
    throw new HfmsError("invalid_request", "--echo needs --raw", {
      hint: "with a chat template, the answer does not continue the prompt's text",
      param: "echo",
    });
  }
  if (flags.logprobs !== undefined && !flags.json) {
    throw new HfmsError("invalid_request", "--logprobs needs --json", {
      hint: "they are part of the JSON document",
      param: "logprobs",
    });
  }
  return { n: flags.n, bestOf, logprobs: flags.logprobs, echo: flags.echo };
}

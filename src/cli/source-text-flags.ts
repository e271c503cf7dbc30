import * as Flags from "@oclif/core/flags";
import type { SourceTextParams } from "../core/index.js";
import { numberFlag } from "./number-flag.js";

const helpGroup = "TRANSLATION AND SUMMARY";

/** The flags of `run` for models that read a text with an encoder: T5, BART, NLLB and their kin. */
export const sourceTextFlags = {
  "source-language": Flags.string({
    helpGroup,
    helpValue: "<code>",
    summary: "the text's language, as the model writes it: eng_Latn, en_XX, en",
  }),
  "target-language": Flags.string({ helpGroup, helpValue: "<code>", summary: "the answer's language" }),
  "text-task": Flags.string({
    helpGroup,
    helpValue: "<name>",
    summary: "a task that config.json has settings for (task_specific_params), like summarization",
  }),
  beams: numberFlag({
    helpGroup,
    integer: true,
    min: 1,
    max: 64,
    summary: "follow this many answers side by side and give the likeliest; 1 is no search",
  }),
  "length-penalty": numberFlag({
    helpGroup,
    summary: "with --beams: above 0 longer answers gain, below 0 shorter",
  }),
  "no-repeat-ngram-size": numberFlag({
    helpGroup,
    integer: true,
    min: 0,
    summary: "let no sequence of this many tokens come twice; 0 lets any",
  }),
};

/** The flags' values as `GenerateRequest` names them. */
export function sourceTextOptions(flags: {
  "source-language"?: string;
  "target-language"?: string;
  "text-task"?: string;
  beams?: number;
  "length-penalty"?: number;
  "no-repeat-ngram-size"?: number;
}): SourceTextParams {
  return {
    sourceLanguage: flags["source-language"],
    targetLanguage: flags["target-language"],
    textTask: flags["text-task"],
    beams: flags.beams,
    lengthPenalty: flags["length-penalty"],
    noRepeatNgramSize: flags["no-repeat-ngram-size"],
  };
}

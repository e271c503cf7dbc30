import * as Flags from "@oclif/core/flags";
import { type GenerateRequest, HfmsError } from "../core/index.js";
import { numberFlag } from "./number-flag.js";
import { type NumberSetting, numberOptions, numberSettings } from "./number-settings.js";

const numberFlags = Object.fromEntries(
  Object.entries(numberSettings).map(([name, setting]) => [name, numberFlag(setting)]),
) as Record<NumberSetting, ReturnType<typeof numberFlag>>;

/** The flags of `run` and `chat` that shape an answer. */
export const answerFlags = {
  ...numberFlags,
  "ignore-eos": Flags.boolean({
    helpGroup: "ANSWER",
    summary: "go on where the model would end, up to --max-tokens",
  }),
  stop: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpGroup: "ANSWER",
    helpValue: "<text>",
    summary: "end the answer before this text; may be given several times",
  }),
  thinking: Flags.boolean({
    allowNo: true,
    helpGroup: "ANSWER",
    summary: "let the model think before it answers, or not, where its chat template has the choice",
  }),
  deterministic: Flags.boolean({
    helpGroup: "SPEED",
    summary: "the same tokens at every run: no guessing ahead, as with --seed",
  }),
  speculation: Flags.boolean({
    allowNo: true,
    helpGroup: "SPEED",
    summary: "guess ahead where the text repeats itself, and check the guesses; on unless there is a --seed",
  }),
  "draft-model": Flags.string({
    helpGroup: "SPEED",
    helpValue: "<model>",
    summary: "let a smaller model of the same family guess ahead",
  }),
};

type AnswerFlagValues = { [name in NumberSetting]?: number } & {
  "ignore-eos"?: boolean;
  stop?: string[];
  thinking?: boolean;
  speculation?: boolean;
  deterministic?: boolean;
  "draft-model"?: string;
};

/** The flags' values as `GenerateRequest` names them. */
export function answerOptions(flags: AnswerFlagValues): Partial<GenerateRequest> {
  if (flags.speculation && flags.deterministic) {
    throw new HfmsError("invalid_request", "--speculation and --deterministic don't go together", {
      hint: "a checked guess may turn a near tie between two tokens; leave one of them out",
      param: "speculation",
    });
  }
  return {
    ...numberOptions(flags),
    ignoreEos: flags["ignore-eos"],
    stop: flags.stop,
    templateVariables: flags.thinking === undefined ? undefined : { enable_thinking: flags.thinking },
    speculation: flags.speculation,
    deterministic: flags.deterministic,
    draftModel: flags["draft-model"],
  };
}

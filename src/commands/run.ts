import { existsSync } from "node:fs";
import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { followAnswer, timingsLine } from "../cli/answer.js";
import { type AnswerDocument, answerDocument } from "../cli/answer-document.js";
import { answerFlags, answerOptions } from "../cli/answer-flags.js";
import { BaseCommand } from "../cli/base-command.js";
import { choiceFlags, choiceOptions } from "../cli/choice-flags.js";
import { formatFlags, outputFormat } from "../cli/format-flags.js";
import { headFlags } from "../cli/head-flags.js";
import { type HeadDocument, headTaskOf, refuseOtherFlags, runHead } from "../cli/head-run.js";
import { kvCacheDtypeFlag, modelChoice, modelFlags } from "../cli/model-flags.js";
import { sourceTextFlags, sourceTextOptions } from "../cli/source-text-flags.js";
import { readPrompt } from "../cli/text-input.js";
import { toolFlags, toolOptions } from "../cli/tool-flags.js";
import { defaultModels, type GenerateRequest, HfmsError } from "../core/index.js";

export default class Run extends BaseCommand {
  static override summary = "let a model answer a prompt";
  static override description =
    `The answer is printed as it is made, and nothing else goes to standard output. Of several answers (--n), each stands
complete under a line with its number. Calls of --tools are printed as JSON, one a line. What a model thinks before it
answers goes to standard error: on a terminal, and with --verbose elsewhere too.

The prompt is the words after the model, then the content of --file. Without either it is read from a pipe. A \`-\` among
the words stands for the pipe's text. It goes through the model's chat template as a message of the user; --raw gives the
model the bare text to continue.

A model that translates or summarizes answers the text itself. What language to, or what task, is said with flags or, as
T5 has it, in front of the text: \`translate English to German: …\`. Such models follow several answers side by side where
their authors chose so; the answer is printed when the best is known.

A model that classifies prints its labels, best first, a score and a tab before each; --top-k says how many. One that
finds entities prints their labels, places and words; one that fills masks the tokens that fit, and the text with each.
One that finds answers takes the question as the prompt, and the text that answers it from --context or --file.

Without any word, the model is ${defaultModels.generate}.`;
  static override examples = [
    '<%= config.bin %> run smollm2 "What is the capital of France?"',
    'cat notes.txt | <%= config.bin %> run smollm2 "Sum this up in one sentence:" -',
    "<%= config.bin %> run gpt2 --raw --max-tokens 20 --temperature 0 Once upon a time",
    '<%= config.bin %> run smollm2 --system "You are a pirate." --file question.txt',
    "<%= config.bin %> run smollm2 'Is a tomato a fruit?' --choice yes --choice no",
    "<%= config.bin %> run smollm2 'Invent a person.' --schema person.json --max-tokens 100",
    "<%= config.bin %> run smollm2 'What is the weather in Paris?' --tools tools.json --tool-choice required",
    "<%= config.bin %> run smollm2 'Name a colour.' -n 3 --temperature 1 --max-tokens 8",
    "<%= config.bin %> run google-t5/t5-small 'translate English to German: The house is small.'",
    '<%= config.bin %> run smollm2 "Hi" --json',
  ];
  static override usage = "run [MODEL] [INPUT...] [FLAGS]";
  static override strict = false;
  static override args = {
    model: Args.string({
      ignoreStdin: true,
      description: "skill, alias, Hub id org/name[@revision], folder or .gguf file",
    }),
    input: Args.string({ ignoreStdin: true, description: "the prompt; - is standard input" }),
  };
  static override flags = {
    file: Flags.string({
      char: "f",
      helpValue: "<file>",
      summary: "read the prompt from a file; - is standard input",
    }),
    system: Flags.string({
      char: "s",
      helpValue: "<text>",
      summary: "system message, put before the prompt",
    }),
    raw: Flags.boolean({ summary: "no chat template: the model continues the bare text" }),
    verbose: Flags.boolean({ char: "v", summary: "say on stderr what was chosen, and how fast it was" }),
    ...answerFlags,
    ...choiceFlags,
    ...formatFlags,
    ...toolFlags,
    ...sourceTextFlags,
    ...headFlags,
    ...modelFlags,
    "kv-cache-dtype": kvCacheDtypeFlag(),
  };

  async run(): Promise<AnswerDocument | HeadDocument> {
    const { raw, flags } = await this.parse(Run);
    // oclif's `argv` sorts equal words together; the raw tokens keep the order in which they were typed.
    const [model = defaultModels.generate, ...words] = raw
      .filter((token) => token.type === "arg")
      .map((token) => token.input);
    refusePromptAsModel(model);
    if (flags.raw) refuseTemplateFlags(flags);
    const json = this.jsonEnabled();
    const request: Omit<GenerateRequest, "prompt"> = {
      ...modelChoice(model, flags),
      ...answerOptions(flags),
      ...choiceOptions({ ...flags, json }),
      ...sourceTextOptions(flags),
      ...(await toolOptions(flags, this.signal)),
      format: await outputFormat(flags, this.signal),
      system: flags.system,
      raw: flags.raw,
    };
    const prompt = await readPrompt({ words, file: flags.file }, this.signal);
    const answers = Math.max(request.n ?? 1, request.bestOf ?? 1);
    await using engine = await this.openEngine(answers);
    const { display, signal } = this;
    const { verbose } = flags;
    try {
      const print = json ? "none" : answers > 1 ? "whole" : "stream";
      const view = { display, print, verbose, answers } as const;
      const answer = await followAnswer(engine.generate({ ...request, prompt }, signal), view);
      if (verbose) display.line(timingsLine(answer));
      return answerDocument(answer);
    } catch (error) {
      const choice = modelChoice(model, flags);
      const task = await headTaskOf(engine, choice, error);
      if (task === undefined) throw error;
      refuseOtherFlags(flagsOf(raw), { task, model });
      const { context, aggregation } = flags;
      const input = { prompt, words: words.join(" "), context, topK: request.topK, aggregation };
      return await runHead(engine, { task, choice, input }, { display, print: !json, verbose, signal });
    }
  }
}

function flagsOf(raw: { type: string; flag?: string }[]): string[] {
  return raw.flatMap(({ type, flag }) => (type === "flag" && flag !== undefined ? [flag] : []));
}

/** Without a chat template there is no place for what these flags say. */
function refuseTemplateFlags(flags: { system?: string; tools?: string; thinking?: boolean }): void {
  const reasons = {
    system: "--raw gives the model the bare text, with no place for a system message",
    tools: "--raw gives the model the bare text, with no place for functions",
    thinking: "--raw gives the model the bare text; thinking is a choice of chat templates",
  };
  for (const [name, hint] of Object.entries(reasons)) {
    if (flags[name as keyof typeof reasons] === undefined) continue;
    const shown = flags.thinking === false && name === "thinking" ? "no-thinking" : name;
    throw new HfmsError("invalid_request", `--raw and --${shown} don't go together`, { hint, param: name });
  }
}

/** `hfms run "What is …?"` forgets the model. No model's name has a blank, unless it is a path. */
function refusePromptAsModel(model: string): void {
  if (!/\s/.test(model) || existsSync(model)) return;
  throw new HfmsError("invalid_request", `"${model}" looks like a prompt, not like a model`, {
    hint: `the model comes first: \`hfms run ${defaultModels.generate} "…"\``,
    param: "model",
  });
}

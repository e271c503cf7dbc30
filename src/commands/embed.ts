import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { readyLine } from "../cli/answer.js";
import { BaseCommand } from "../cli/base-command.js";
import { modelChoice, modelFlags } from "../cli/model-flags.js";
import { numberFlag } from "../cli/number-flag.js";
import { openTarget } from "../cli/output.js";
import { readLines } from "../cli/text-input.js";
import { formatMilliseconds } from "../cli/units.js";
import { type VectorFormat, vectorFormats, vectorWriter } from "../cli/vector-output.js";
import { defaultModels, type EmbedEvent, HfmsError, poolings, type ReadyEvent } from "../core/index.js";

export default class Embed extends BaseCommand {
  static override summary = "turn text into vectors";
  static override description =
    `Every argument is one text; without arguments every line of --file or of a pipe is one. Vectors come in the same
order, each as soon as it is there. An empty line is an empty text: it gets its vector, so that line n stays line n.

Formats: jsonl is one {"index","embedding"} a line; base64 is the same with the vector as base64 of little-endian
float32; csv is one vector a line without a header; npy is NumPy's matrix; json is one document with everything.`;
  static override examples = [
    "<%= config.bin %> embed 'a cat' 'a dog'",
    "printf 'a cat\\na dog\\n' | <%= config.bin %> embed --model minilm",
    "<%= config.bin %> embed --file sentences.txt --format npy --output vectors.npy",
    "<%= config.bin %> embed 'a cat' --format csv",
  ];
  static override args = {
    text: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: "texts; - is the lines of standard input",
    }),
  };
  static override flags = {
    model: Flags.string({
      char: "m",
      default: defaultModels.embed,
      helpValue: "<model>",
      summary: "skill, alias, Hub id org/name[@revision] or folder",
    }),
    file: Flags.string({
      char: "f",
      helpValue: "<file>",
      summary: "read lines from a file; - is standard input",
    }),
    format: Flags.option({
      options: vectorFormats,
      helpValue: "<format>",
      summary: "how vectors are written; default jsonl",
    })(),
    output: Flags.string({
      char: "o",
      helpValue: "<file>",
      summary: "write to a file instead of standard output",
    }),
    verbose: Flags.boolean({ char: "v", summary: "say on stderr what was chosen, and how fast it was" }),
    pooling: Flags.option({
      options: poolings,
      helpGroup: "VECTOR",
      helpValue: "<pooling>",
      summary: "how token vectors become one; auto asks the model's files",
    })(),
    normalize: Flags.boolean({
      allowNo: true,
      helpGroup: "VECTOR",
      summary: "make vectors of length 1, or not; default what the model's files say",
    }),
    dimensions: numberFlag({
      integer: true,
      min: 1,
      helpGroup: "VECTOR",
      summary: "keep the first n components",
    }),
    prefix: Flags.string({ helpGroup: "VECTOR", helpValue: "<text>", summary: "put this before each text" }),
    prompt: Flags.string({
      helpGroup: "VECTOR",
      helpValue: "<name>",
      exclusive: ["prefix"],
      summary: "put the model's prompt of this name (query, passage, …) before each text",
    }),
    "batch-tokens": numberFlag({
      integer: true,
      min: 1,
      helpGroup: "VECTOR",
      summary: "most tokens in one run",
    }),
    truncate: Flags.boolean({
      helpGroup: "VECTOR",
      summary: "cut texts that are too long, with a notice, instead of failing",
    }),
    ...modelFlags,
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Embed);
    const format = chosenFormat(flags, this.jsonEnabled());
    const input = await this.texts((args.text as string[] | undefined) ?? [], flags.file);
    await using engine = await this.openEngine();
    const target = await openTarget(flags.output);
    try {
      const writer = vectorWriter(format, target);
      const events = engine.embed(
        {
          ...modelChoice(flags.model, flags),
          input,
          pooling: flags.pooling,
          normalize: flags.normalize,
          dimensions: flags.dimensions,
          prefix: flags.prefix,
          promptName: flags.prompt,
          batchTokens: flags["batch-tokens"],
          truncate: flags.truncate,
        },
        this.signal,
      );
      let ready: ReadyEvent | undefined;
      let cut = 0;
      for await (const event of this.display.follow(events)) {
        if (event.type === "embedding") {
          await writer.add(event);
          if (event.truncated) cut++;
        } else if (event.type === "ready") {
          ready = event;
          if (flags.verbose) this.display.line(readyLine(ready));
        } else {
          await writer.end(ready!, event);
          if (cut > 0) this.display.notice(`${cut} of ${event.count} texts were too long, and were cut`);
          if (flags.verbose) this.display.line(timingsLine(event));
        }
      }
      await target.end();
    } catch (error) {
      await target.discard();
      throw error;
    }
  }

  /** The texts to embed. Fails before a model is loaded when there are none. */
  private async texts(
    words: string[],
    file: string | undefined,
  ): Promise<Iterable<string> | AsyncIterable<string>> {
    if (file !== undefined && words.length > 0) {
      throw new HfmsError("invalid_request", "texts on the command line and --file don't go together", {
        hint: "give one or the other",
        param: "file",
      });
    }
    if (words.length > 0 && !(words.length === 1 && words[0] === "-")) return words;
    if (file === undefined && words.length === 0 && process.stdin.isTTY) {
      throw new HfmsError("empty_input", "there is no text to embed", { hint: inputHint });
    }
    const lines = readLines(file ?? "-", this.signal);
    const first = await lines.next();
    if (!first.done) return following(first.value, lines);
    const what = file === undefined || file === "-" ? "standard input" : `"${file}"`;
    throw new HfmsError("empty_input", `${what} is empty`, { hint: inputHint });
  }
}

const inputHint = "give texts, a file with --file, or pipe lines in";

function chosenFormat(flags: { format?: VectorFormat; output?: string }, json: boolean): VectorFormat {
  if (json && flags.format !== undefined && flags.format !== "json") {
    throw new HfmsError("invalid_request", `--json and --format ${flags.format} don't go together`, {
      hint: "--json is the same as --format json",
      param: "format",
    });
  }
  const format = json ? "json" : (flags.format ?? "jsonl");
  if (format === "npy" && flags.output === undefined && process.stdout.isTTY) {
    throw new HfmsError("invalid_request", "npy is binary and would garble the terminal", {
      hint: "write it to a file with --output",
      param: "format",
    });
  }
  return format;
}

async function* following(first: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield first;
  yield* rest;
}

function timingsLine({ count, usage, timings }: Extract<EmbedEvent, { type: "done" }>): string {
  const speed = (1000 * count) / Math.max(timings.embed_ms, 0.001);
  return [
    `load ${formatMilliseconds(timings.load_ms)}`,
    `${count} texts of ${usage.prompt_tokens} tokens in ${formatMilliseconds(timings.embed_ms)} (${speed.toFixed(1)}/s)`,
  ].join(" · ");
}

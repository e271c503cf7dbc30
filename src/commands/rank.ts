import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { readyLine } from "../cli/answer.js";
import { BaseCommand } from "../cli/base-command.js";
import { scoreLine } from "../cli/head-run.js";
import { modelChoice, modelFlags } from "../cli/model-flags.js";
import { numberFlag } from "../cli/number-flag.js";
import { writeAnswer } from "../cli/output.js";
import { readLines } from "../cli/text-input.js";
import { formatMilliseconds } from "../cli/units.js";
import { HfmsError, type RankEvent, type ReadyEvent } from "../core/index.js";

type DoneEvent = Extract<RankEvent, { type: "done" }>;

/** What `rank --json` prints. */
interface RankDocument {
  model: string;
  revision: string;
  task: string;
  device: string;
  dtype: string;
  /** Best first; `index` is the document's place in the input, from 0. */
  output: RankedDocument[];
  usage: DoneEvent["usage"];
  timings: DoneEvent["timings"];
}

interface RankedDocument {
  index: number;
  score: number;
  document: string;
}

export default class Rank extends BaseCommand {
  static override summary = "sort documents by how well they answer a query";
  static override description =
    `The documents are the words after the query; without any, every line of --file or of a pipe is one. They come back best
first, one a line: the score, a tab, the document.

The model is a cross-encoder: it reads the query together with each document, which is slower and better than comparing
vectors. Take the best hundred of a search, and let it sort them.`;
  static override examples = [
    "<%= config.bin %> rank ms-marco 'How many people live in Berlin?' --file sentences.txt --top 3",
    "printf 'a cat\\na dog\\n' | <%= config.bin %> rank ms-marco 'Who barks?'",
    "<%= config.bin %> rank ms-marco 'Who barks?' 'a cat' 'a dog' --json",
  ];
  static override args = {
    model: Args.string({ required: true, description: "skill, alias, Hub id org/name[@revision] or folder" }),
    query: Args.string({ required: true, description: "what the documents are to answer" }),
    document: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: "documents; - is the lines of standard input",
    }),
  };
  static override flags = {
    file: Flags.string({
      char: "f",
      helpValue: "<file>",
      summary: "read documents from the lines of a file; - is standard input",
    }),
    top: numberFlag({ integer: true, min: 1, summary: "print the best n only" }),
    raw: Flags.boolean({
      allowNo: true,
      summary: "the model's own number, or its sigmoid between 0 and 1; default what the model's files say",
    }),
    truncate: Flags.boolean({
      summary: "cut documents that are too long, with a notice, instead of failing",
    }),
    verbose: Flags.boolean({ char: "v", summary: "say on stderr what was chosen, and how fast it was" }),
    ...modelFlags,
  };

  async run(): Promise<RankDocument> {
    const { args, flags } = await this.parse(Rank);
    const documents = await this.documents((args.document as string[] | undefined) ?? [], flags.file);
    const { query } = args;
    const { raw, truncate, top, verbose } = flags;
    await using engine = await this.openEngine();
    const request = { ...modelChoice(args.model, flags), query, documents, raw, truncate };
    const ranked: RankedDocument[] = [];
    let ready!: ReadyEvent;
    let done!: DoneEvent;
    let cut = 0;
    for await (const event of this.display.follow(engine.rank(request, this.signal))) {
      if (event.type === "score") {
        ranked.push({ index: event.index, score: event.score, document: documents[event.index] });
        if (event.truncated) cut++;
      } else if (event.type === "ready") {
        ready = event;
        if (verbose) this.display.line(readyLine(event));
      } else done = event;
    }
    const output = ranked.sort((a, b) => b.score - a.score).slice(0, top);
    if (!this.jsonEnabled()) {
      await writeAnswer(output.map(({ score, document }) => scoreLine(score, document)).join(""));
    }
    if (cut > 0) this.display.notice(`${cut} of ${done.count} documents were too long, and were cut`);
    if (verbose) this.display.line(timingsLine(done));
    const { model, revision, task, device, dtype } = ready;
    return { model, revision, task, device, dtype, output, usage: done.usage, timings: done.timings };
  }

  /** The documents to sort. Fails before a model is loaded when there are none. */
  private async documents(words: string[], file: string | undefined): Promise<string[]> {
    if (file !== undefined && words.length > 0) {
      throw new HfmsError("invalid_request", "documents on the command line and --file don't go together", {
        hint: "give one or the other",
        param: "file",
      });
    }
    if (words.length > 0 && !(words.length === 1 && words[0] === "-")) return words;
    if (file === undefined && words.length === 0 && process.stdin.isTTY) {
      throw new HfmsError("empty_input", "there are no documents to rank", { hint: inputHint });
    }
    const documents = await Array.fromAsync(readLines(file ?? "-", this.signal));
    if (documents.length > 0) return documents;
    const what = file === undefined || file === "-" ? "standard input" : `"${file}"`;
    throw new HfmsError("empty_input", `${what} is empty`, { hint: inputHint });
  }
}

const inputHint = "give documents, a file with --file, or pipe lines in";

function timingsLine({ count, usage, timings }: DoneEvent): string {
  const speed = (1000 * count) / Math.max(timings.rank_ms, 0.001);
  return [
    `load ${formatMilliseconds(timings.load_ms)}`,
    `${count} documents of ${usage.prompt_tokens} tokens in ${formatMilliseconds(timings.rank_ms)} (${speed.toFixed(1)}/s)`,
  ].join(" · ");
}

import { readFile } from "node:fs/promises";
import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { readyLine } from "../cli/answer.js";
import { BaseCommand } from "../cli/base-command.js";
import { benchFlags, benchRequest } from "../cli/bench-flags.js";
import { BenchProgress } from "../cli/bench-progress.js";
import { renderBench, renderComparison } from "../cli/bench-table.js";
import { type Interrupted, renderError, reportError } from "../cli/error-report.js";
import { toJson } from "../cli/json.js";
import { openTarget, type Target, write } from "../cli/output.js";
import {
  type BenchComparison,
  type BenchRequest,
  type BenchResult,
  bench,
  compareBenchResults,
  errorTable,
  HfmsError,
  readBenchResult,
} from "../core/index.js";

export default class Bench extends BaseCommand {
  static override summary = "measure how fast models are on this machine";
  static override description =
    `Every combination of models, lengths, batch sizes, dtypes and devices is warmed up, then measured several times: the time
to the first token and between tokens, tokens per second, memory, and energy where the machine tells. Models that turn
text into vectors are measured in texts per second; there, --batch is the number of callers at the same time.

Two results are compared with --compare; with a model and one result, the model is measured and compared with it.
What the numbers mean: docs/bench.md.`;
  static override examples = [
    "<%= config.bin %> bench smollm2",
    "<%= config.bin %> bench smollm2 --batch 1,4 --max-tokens 32 --output before.json",
    "<%= config.bin %> bench smollm2 --dtype int8,fp32 --max-tokens 32 --html report.html",
    "<%= config.bin %> bench minilm --texts 16 --batch 1,4 --json",
    "<%= config.bin %> bench smollm2 --batch 1,4 --max-tokens 32 --compare before.json --output after.json",
    "<%= config.bin %> bench --compare before.json after.json",
  ];
  static override usage = "bench [MODEL...] [FLAGS]";
  static override args = {
    models: Args.string({
      multiple: true,
      ignoreStdin: true,
      description: "skills, aliases, Hub ids org/name[@revision], folders or .gguf files",
    }),
  };
  static override flags = {
    ...benchFlags,
    output: Flags.string({
      char: "o",
      helpGroup: "RESULT",
      helpValue: "<file>",
      summary: "store the result, for --compare",
    }),
    html: Flags.string({
      helpGroup: "RESULT",
      helpValue: "<file>",
      summary: "write a page with plots, which needs nothing beside it",
    }),
    compare: Flags.string({
      multiple: true,
      helpGroup: "RESULT",
      helpValue: "<file>",
      summary: "compare two stored results, or a stored one with what is measured now",
    }),
    verbose: Flags.boolean({
      char: "v",
      helpGroup: "RESULT",
      summary: "every number with its spread, what was chosen and why, and why numbers are absent",
    }),
  };

  async run(): Promise<BenchResult | BenchComparison> {
    const { args, flags } = await this.parse(Bench);
    const models = (args.models as string[] | undefined) ?? [];
    const compare = flags.compare ?? [];
    requireSense(models, compare);
    const stored = await Promise.all(compare.map(readResult));
    if (models.length === 0) return this.#compare(stored[0], stored[1]);
    const request = benchRequest(models, flags, this.argv);
    const result = await this.#measure(request, flags);
    return stored.length === 0 ? result : this.#compare(stored[0], result);
  }

  /** What was measured when an error or Ctrl-C comes is printed and stored all the same. */
  async #measure(
    request: BenchRequest,
    flags: { output?: string; html?: string; verbose?: boolean; compare?: string[] },
  ): Promise<BenchResult> {
    const progress = new BenchProgress({ stream: process.stderr, quiet: this.display.quiet });
    // Opened first: an hour of measuring must not end in a folder that isn't there.
    const stored = await openTargets(flags);
    let result: BenchResult | undefined;
    const deliver = async (result: BenchResult): Promise<void> => {
      await stored.output?.write(`${toJson(result)}\n`);
      if (stored.html) {
        const { renderBenchPage } = await import("../cli/bench-page.js");
        await stored.html.write(renderBenchPage(result));
      }
      for (const target of Object.values(stored)) await target?.end();
      if (!this.jsonEnabled()) await write(`${await renderBench(result, flags)}\n`);
    };
    try {
      const events = bench(request, () => this.openEngine(), this.signal);
      for await (const event of this.display.follow(events)) {
        progress.clear();
        if (event.type === "run") progress.show(event);
        else if (event.type === "ready") {
          if (flags.verbose) this.display.line(readyLine(event));
        } else result = event.result;
      }
    } catch (error) {
      progress.clear();
      if (!result) {
        for (const target of Object.values(stored)) await target?.discard();
        throw error;
      }
      await deliver(result);
      if (this.jsonEnabled()) this.#endWithBoth(result, error);
      throw error;
    }
    await deliver(result!);
    return result!;
  }

  async #compare(before: BenchResult, after: BenchResult): Promise<BenchComparison> {
    const comparison = compareBenchResults(before, after);
    for (const warning of comparison.warnings) this.display.notice(warning);
    if (!this.jsonEnabled()) await write(`${await renderComparison(comparison)}\n`);
    return comparison;
  }

  /** With --json there is one document, so what was measured and why it ended stand in the same one. */
  #endWithBoth(result: BenchResult, error: unknown): never {
    const stopped = this.signal.aborted ? (this.signal.reason as Interrupted) : undefined;
    const report = reportError(stopped ?? error, { argv: this.argv, config: this.config });
    process.stderr.write(renderError(report));
    this.logJson({ ...result, error: report });
    this.exit(stopped ? stopped.exitCode : errorTable[report.code].exit);
  }

  override async catch(error: Error & { code?: string }): Promise<never> {
    // `#endWithBoth` has said everything.
    if (error.code === "EEXIT") throw error;
    return super.catch(error);
  }
}

function requireSense(models: string[], compare: string[]): void {
  const refuse = (message: string, hint: string, param: string): never => {
    throw new HfmsError("invalid_request", message, { hint, param });
  };
  if (models.length === 0 && compare.length === 0)
    refuse("MODEL is missing", "name one or several models, e.g. `hfms bench smollm2`", "models");
  if (models.length === 0 && compare.length !== 2)
    refuse(
      `--compare has ${compare.length === 1 ? "one file" : `${compare.length} files`}`,
      "give two results, or one and a model to measure now",
      "compare",
    );
  if (models.length > 0 && compare.length > 1)
    refuse(
      `--compare has ${compare.length} files, and there is a model to measure`,
      "give one result to compare the model with, or two without a model",
      "compare",
    );
}

async function readResult(file: string): Promise<BenchResult> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    const reason = error.code === "ENOENT" ? "does not exist" : `can't be read: ${error.message}`;
    throw new HfmsError("file_error", `"${file}" ${reason}`, { param: "compare", cause: error });
  });
  return readBenchResult(text, `"${file}"`);
}

interface Targets {
  output?: Target;
  html?: Target;
}

async function openTargets({ output, html }: { output?: string; html?: string }): Promise<Targets> {
  const targets: Targets = {};
  try {
    if (output !== undefined) targets.output = await openTarget(output);
    if (html !== undefined) targets.html = await openTarget(html);
    return targets;
  } catch (error) {
    await targets.output?.discard();
    throw error;
  }
}

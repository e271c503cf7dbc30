import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { dtypeFlag, originFlags } from "../cli/model-flags.js";
import { write } from "../cli/output.js";
import { renderTable } from "../cli/table.js";
import { formatBytes } from "../cli/units.js";
import type { ExportEvent } from "../core/index.js";

type Done = Extract<ExportEvent, { type: "done" }>;

export default class Export extends BaseCommand {
  static override summary = "write a model as ONNX for other programs";
  static override description =
    `The folder has the graph that hfms runs, with the inputs and outputs that transformers.js and Optimum know, its weights,
config.json and the tokenizer. transformers.js and onnxruntime run it as it is. Rows of a batch are padded on the right.`;
  static override examples = [
    "<%= config.bin %> export smollm2 --to ./smollm2-onnx",
    "<%= config.bin %> export minilm --to ./minilm-onnx --dtype int8",
  ];
  static override args = {
    model: Args.string({
      required: true,
      ignoreStdin: true,
      description: "skill, alias, Hub id org/name[@revision], folder or .gguf file",
    }),
  };
  static override flags = {
    to: Flags.string({ required: true, helpValue: "<folder>", summary: "a folder that is not there yet" }),
    dtype: dtypeFlag(),
    ...originFlags,
  };

  async run(): Promise<Omit<Done, "type">> {
    const { args, flags } = await this.parse(Export);
    await using engine = await this.openEngine();
    const { to, dtype, source, revision } = flags;
    const events = engine.export({ model: args.model, to, dtype, source, revision }, this.signal);
    let result: Done | undefined;
    for await (const event of this.display.follow(events)) result = event;
    const { type: _, ...done } = result as Done;
    if (!this.jsonEnabled()) await write(`${await render(done)}\n`);
    return done;
  }
}

async function render({ model, dtype, directory, files }: Omit<Done, "type">): Promise<string> {
  const columns = [
    { title: "FILE", wrap: true },
    { title: "SIZE", align: "right" as const },
  ];
  const rows = files.map(({ path, size }) => [path, formatBytes(size)]);
  return `${model} in ${dtype}  ${directory}\n${await renderTable(columns, rows, process.stdout)}`;
}

import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { confirmed, refuseUnattended } from "../cli/confirmation.js";
import { write } from "../cli/output.js";
import { formatBytes } from "../cli/units.js";
import type { LocalModel, RemovedModel } from "../core/index.js";

export default class Rm extends BaseCommand {
  static override summary = "remove models from this machine";
  static override description =
    "Removes a model's files from the Hugging Face cache (other tools lose them too) and the graphs that hfms built from them.";
  static override examples = ["<%= config.bin %> rm smollm2", "<%= config.bin %> rm smollm2 minilm --yes"];
  static override args = {
    models: Args.string({
      required: true,
      multiple: true,
      ignoreStdin: true,
      description: "names as `hfms list` shows them",
    }),
  };
  static override flags = {
    yes: Flags.boolean({ char: "y", summary: "don't ask" }),
  };

  async run(): Promise<{ removed: RemovedModel[] }> {
    const { args, flags } = await this.parse(Rm);
    const names = args.models as string[];
    if (!flags.yes) refuseUnattended("the removal");
    await using engine = await this.openEngine();
    if (!flags.yes && !(await this.confirm(names, await engine.list()))) {
      this.display.line("nothing was removed");
      return { removed: [] };
    }
    const removed: RemovedModel[] = [];
    for (const name of names) {
      const result = await engine.remove(name);
      removed.push(result);
      if (!this.jsonEnabled())
        await write(`removed ${result.model}, ${formatBytes(result.bytes)} are free again\n`);
    }
    return { removed };
  }

  private confirm(names: string[], local: LocalModel[]): Promise<boolean> {
    const sizes = names.map((name) => {
      const model = local.find((one) => one.model === name || one.aliases.includes(name));
      return model ? `${name} (${formatBytes(model.size)})` : name;
    });
    return confirmed(`Remove ${sizes.join(", ")}?`, this.signal);
  }
}

import { BaseCommand } from "../cli/base-command.js";
import { write } from "../cli/output.js";
import { renderTable } from "../cli/table.js";
import { formatAge, formatBytes, formatDtype } from "../cli/units.js";
import type { LocalModel } from "../core/index.js";

export default class List extends BaseCommand {
  static override summary = "show the models on this machine";
  static override description =
    "Lists what the Hugging Face cache holds, whoever downloaded it, and the graphs that hfms built from it.";
  static override examples = ["<%= config.bin %> list", "<%= config.bin %> list --json"];

  async run(): Promise<{ models: LocalModel[] }> {
    await this.parse(List);
    await using engine = await this.openEngine();
    const models = await engine.list();
    if (!this.jsonEnabled()) {
      if (models.length > 0) await write(`${await renderModels(models)}\n`);
      else this.display.line("no models on this machine yet; `hfms pull smollm2` gets one");
    }
    return { models };
  }
}

function renderModels(models: LocalModel[]): Promise<string> {
  const now = new Date();
  return renderTable(
    [
      { title: "MODEL", wrap: true },
      { title: "ALIASES", wrap: true, optional: true },
      { title: "TYPE" },
      { title: "SIZE", align: "right" },
      { title: "GRAPHS", wrap: true },
      { title: "USED", optional: true },
    ],
    models.map((model) => [
      model.model,
      model.aliases.join(", "),
      model.modelType ?? "",
      // A folder or file of the user's own is not in the cache and takes nothing there.
      model.size === 0 ? "" : formatBytes(model.size),
      model.graphs.map((graph) => `${formatDtype(graph)} ${formatBytes(graph.size)}`).join(", "),
      model.lastUsed ? formatAge(new Date(model.lastUsed), now) : "",
    ]),
    process.stdout,
  );
}

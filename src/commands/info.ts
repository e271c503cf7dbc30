import * as Args from "@oclif/core/args";
import { BaseCommand } from "../cli/base-command.js";
import { renderFacts } from "../cli/facts.js";
import { write } from "../cli/output.js";
import { renderTable } from "../cli/table.js";
import { formatBytes, formatCount, formatDtype } from "../cli/units.js";
import type { ModelInfo } from "../core/index.js";

export default class Info extends BaseCommand {
  static override summary = "show what is known about a model";
  static override description =
    "What the model is, whether this build runs it here, and which of its files are on this machine.";
  static override examples = ["<%= config.bin %> info smollm2", "<%= config.bin %> info smollm2 --json"];
  static override args = {
    model: Args.string({
      required: true,
      ignoreStdin: true,
      description: "skill, alias, Hub id org/name[@revision], folder or .gguf file",
    }),
  };

  async run(): Promise<ModelInfo> {
    const { args } = await this.parse(Info);
    await using engine = await this.openEngine();
    const info = await engine.info(args.model, this.signal);
    for (const notice of info.notices) this.display.notice(notice);
    if (!this.jsonEnabled()) await write(`${await renderInfo(info)}\n`);
    return info;
  }
}

async function renderInfo(info: ModelInfo): Promise<string> {
  const count = (value: number | undefined) => value?.toLocaleString("en");
  const facts = renderFacts(
    [
      ["model", info.model],
      ["skill", info.skill],
      ["aliases", info.aliases.join(", ")],
      ["type", info.modelType],
      ["tasks", info.tasks.join(", ")],
      ["parameters", info.parameters === undefined ? undefined : formatCount(info.parameters)],
      ["context", info.contextLength === undefined ? undefined : `${count(info.contextLength)} tokens`],
      ["vocabulary", count(info.vocabularySize)],
      ["layers", count(info.layers)],
      ["hidden size", count(info.hiddenSize)],
      ["chat template", info.chatTemplate === undefined ? undefined : info.chatTemplate ? "yes" : "no"],
      ["license", info.license],
      ["source", info.source],
      ["revision", info.revision],
      ["folder", info.directory],
      ["runs here", `${info.runnable.yes ? "yes" : "no"}: ${info.runnable.reason}`],
      ["graphs", info.graphs.map((graph) => `${formatDtype(graph)} (${formatBytes(graph.size)})`).join(", ")],
    ],
    process.stdout,
  );
  if (info.files.length === 0) return facts;
  const files = await renderTable(
    [{ title: "FILE", wrap: true }, { title: "SIZE", align: "right" }, { title: "HERE" }],
    info.files.map(({ path, size, cached }) => [path, formatBytes(size), cached ? "yes" : "no"]),
    process.stdout,
  );
  return `${facts}\n\n${files}`;
}

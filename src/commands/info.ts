import * as Args from "@oclif/core/args";
import * as Flags from "@oclif/core/flags";
import { BaseCommand } from "../cli/base-command.js";
import { renderFacts } from "../cli/facts.js";
import { write } from "../cli/output.js";
import { renderTable } from "../cli/table.js";
import { formatBytes, formatCount, formatDtype } from "../cli/units.js";
import type { DriftReport, ModelInfo } from "../core/index.js";

export default class Info extends BaseCommand {
  static override summary = "show what is known about a model";
  static override description =
    `What the model is, whether this build runs it here, and which of its files are on this machine. With --quality the model is
brought here, its graphs in fp32, int8 and int4 are built, and a fixed English text shows what the rounding costs.`;
  static override examples = [
    "<%= config.bin %> info smollm2",
    "<%= config.bin %> info smollm2 --json",
    "<%= config.bin %> info smollm2 --quality",
  ];
  static override args = {
    model: Args.string({
      required: true,
      ignoreStdin: true,
      description: "skill, alias, Hub id org/name[@revision], folder or .gguf file",
    }),
  };
  static override flags = {
    quality: Flags.boolean({ summary: "measure how far int8 and int4 move the model from fp32" }),
  };

  async run(): Promise<ModelInfo & { quality?: DriftReport[] }> {
    const { args, flags } = await this.parse(Info);
    await using engine = await this.openEngine();
    let quality: DriftReport[] | undefined;
    if (flags.quality) {
      const events = engine.quality({ model: args.model }, this.signal);
      for await (const event of this.display.follow(events)) quality = event.drifts;
    }
    const info = await engine.info(args.model, this.signal);
    for (const notice of info.notices) this.display.notice(notice);
    if (!this.jsonEnabled()) {
      await write(`${await renderInfo(info)}\n`);
      if (quality) await write(`\n${await renderQuality(quality)}\n`);
    }
    return { ...info, ...(quality && { quality }) };
  }
}

/** What each number format costs, a row each; perplexity is that of the text. */
async function renderQuality(drifts: DriftReport[]): Promise<string> {
  const decoder = drifts.some(({ perplexity }) => perplexity !== undefined);
  const right = (title: string) => ({ title, align: "right" as const });
  const columns = [
    { title: "DTYPE" },
    right("WEIGHTS"),
    ...(decoder ? [right("PERPLEXITY"), right("CHANGE"), right("NEXT TOKEN AGREES")] : []),
    right("COSINE"),
    right("LEAST"),
  ];
  const rows = drifts.map((drift) => {
    const { referencePerplexity: before = 1, perplexity: after = 1, agreement = 0 } = drift;
    const change = (after / before - 1) * 100;
    const spoken = [
      `${before.toFixed(2)} → ${after.toFixed(2)}`,
      `${change < 0 ? "" : "+"}${change.toFixed(1)} %`,
      `${(agreement * 100).toFixed(1)} %`,
    ];
    return [
      drift.dtype,
      formatBytes(drift.weightsSize),
      ...(decoder ? spoken : []),
      drift.cosine.toFixed(4),
      drift.leastCosine.toFixed(4),
    ];
  });
  const unit = decoder ? "positions of a fixed English text" : "English sentences";
  return `quality beside fp32, ${drifts[0].positions} ${unit}\n${await renderTable(columns, rows, process.stdout)}`;
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

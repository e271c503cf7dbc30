import {
  type BenchCase,
  type BenchComparison,
  type BenchMeasure,
  type BenchResult,
  benchMeasures,
  caseName,
} from "../core/index.js";
import { formatFigure, formatMeasure, formatSummary } from "./bench-number.js";
import { renderFacts } from "./facts.js";
import { styled } from "./style.js";
import { type Column, renderTable } from "./table.js";
import { formatBytes, formatMilliseconds } from "./units.js";

interface MeasureColumn extends Column {
  measure: BenchMeasure;
  /** With the lowest and the highest of the repeats. */
  spread?: boolean;
}

/** What `hfms bench` prints: the machine, then a table for each task. Columns that nothing fills are left out. */
export async function renderBench(result: BenchResult, { verbose }: { verbose?: boolean }): Promise<string> {
  const stream = process.stdout;
  const parts = [renderFacts(benchFacts(result), stream)];
  for (const [task, columns] of Object.entries(taskColumns)) {
    const cases = result.cases.filter((one) => one.task === task);
    if (cases.length > 0) parts.push(await caseTable(cases, columns, stream));
  }
  if (verbose) {
    for (const one of result.cases) parts.push(await detailTable(one, stream));
    if (result.missing.length > 0) parts.push(result.missing.join("\n"));
  }
  return parts.join("\n\n");
}

/** Machine and versions, in words; the head of the page and of the table. */
export function benchFacts({
  machine,
  hfms,
  runtime,
  node,
  settings,
  load_average: load,
}: BenchResult): [string, string | undefined][] {
  const commit = hfms.commit && `commit ${hfms.commit.slice(0, 9)}${hfms.changed ? ", changed" : ""}`;
  const repeats = settings.repeats === 1 ? "1 run" : `medians of ${settings.repeats} runs, lowest–highest`;
  return [
    ["processor", `${machine.cpu}, ${machine.threads} threads, ${machine.instruction_sets.join(" ")}`],
    ["gpu", machine.gpus.join(", ")],
    ["memory", formatBytes(machine.memory_bytes)],
    ["system", machine.os],
    [
      "versions",
      [`hfms ${hfms.version}`, commit, `ONNX Runtime ${runtime.version}`, `Node ${node}`]
        .filter(Boolean)
        .join(", "),
    ],
    ["load", load && `${load.before} before, ${load.after} after`],
    ["numbers", `${repeats}${settings.speculation ? ", with speculation" : ""}`],
  ];
}

/** Ratios of two results, and whether the difference is more than the spread. */
export async function renderComparison({
  before,
  after,
  cases,
  only_before,
  only_after,
}: BenchComparison): Promise<string> {
  const stream = process.stdout;
  const side = ({ date, hfms }: BenchComparison["before"]): string =>
    `${date.slice(0, 16).replace("T", " ")} UTC, hfms ${hfms.version}${hfms.commit ? ` (${hfms.commit.slice(0, 9)}${hfms.changed ? ", changed" : ""})` : ""}`;
  const parts = [
    renderFacts(
      [
        ["before", side(before)],
        ["after", side(after)],
      ],
      stream,
    ),
  ];
  const colours = { better: "green", worse: "red", same: "dim" } as const;
  const words = { better: "better", worse: "worse", same: "within the spread" };
  for (const { case: name, measures } of cases) {
    const rows = measures.map(({ measure, before, after, ratio, verdict }) => [
      titleOf(measure),
      formatSummary(measure, before),
      formatSummary(measure, after),
      `${formatFigure(ratio)} ×`,
      styled(colours[verdict], words[verdict], stream),
    ]);
    const columns: Column[] = [
      { title: "MEASURE", wrap: true },
      { title: "BEFORE", align: "right" },
      { title: "AFTER", align: "right" },
      { title: "RATIO", align: "right" },
      { title: "DIFFERENCE" },
    ];
    parts.push(`${styled("bold", name, stream)}\n${await renderTable(columns, rows, stream)}`);
  }
  if (cases.length === 0) parts.push("the results have no case in common");
  if (only_before.length > 0) parts.push(["only before:", ...only_before].join("\n  "));
  if (only_after.length > 0) parts.push(["only after:", ...only_after].join("\n  "));
  return parts.join("\n\n");
}

/** "time to first token, ms"; memory says its own unit. */
export function titleOf(measure: BenchMeasure): string {
  const { title, unit } = benchMeasures[measure];
  return unit === "bytes" ? title : `${title}, ${unit}`;
}

const right = { align: "right" } as const;
const shared: MeasureColumn[] = [
  { title: "MEMORY", measure: "peak_memory_bytes", ...right },
  { title: "J", measure: "joules", optional: true, ...right },
  { title: "GPU J", measure: "gpu_joules", optional: true, ...right },
];
const taskColumns: Record<BenchCase["task"], MeasureColumn[]> = {
  "text-generation": [
    { title: "FIRST ms", measure: "ttft_ms", ...right },
    { title: "NEXT ms", measure: "itl_p50_ms", ...right },
    { title: "NEXT p99", measure: "itl_p99_ms", optional: true, ...right },
    { title: "PROMPT/s", measure: "prompt_per_second", ...right },
    { title: "GENERATED/s", measure: "generate_per_second", spread: true, ...right },
    { title: "EACH/s", measure: "generate_per_second_stream", optional: true, ...right },
    { title: "TOTAL/s", measure: "total_per_second", optional: true, ...right },
    ...shared,
    { title: "J/TOKEN", measure: "joules_per_token", ...right },
  ],
  "feature-extraction": [
    { title: "TEXTS/s", measure: "texts_per_second", spread: true, ...right },
    { title: "TOKENS/s", measure: "tokens_per_second", ...right },
    { title: "REQUEST ms", measure: "latency_p50_ms", ...right },
    { title: "REQUEST p99", measure: "latency_p99_ms", optional: true, ...right },
    ...shared,
    { title: "J/TEXT", measure: "joules_per_text", ...right },
  ],
};

async function caseTable(
  cases: BenchCase[],
  measured: MeasureColumn[],
  stream: NodeJS.WriteStream,
): Promise<string> {
  const several = cases.some(({ model }) => model !== cases[0].model);
  const generation = cases[0].task === "text-generation";
  const columns: (Column & { cell: (one: BenchCase) => string })[] = [
    ...(several ? [{ title: "MODEL", wrap: true, cell: ({ model }: BenchCase) => model }] : []),
    { title: "DTYPE", cell: ({ dtype }) => dtype },
    { title: "DEVICE", optional: true, cell: ({ device }) => device },
    ...(generation
      ? [
          { title: "IN", ...right, cell: ({ prompt_tokens }: BenchCase) => String(prompt_tokens) },
          { title: "OUT", ...right, cell: ({ max_tokens }: BenchCase) => String(max_tokens) },
        ]
      : [{ title: "TEXTS", ...right, cell: ({ texts }: BenchCase) => String(texts) }]),
    { title: "BATCH", ...right, cell: ({ batch }) => String(batch) },
    { title: "LOAD", optional: true, ...right, cell: ({ load_ms }) => formatMilliseconds(load_ms) },
    ...measured
      .filter(({ measure }) => cases.some(({ measures }) => measures[measure]))
      .map(({ measure, spread, ...column }) => ({
        ...column,
        cell: ({ measures }: BenchCase) => {
          const summary = measures[measure];
          if (!summary) return "";
          return spread ? formatSummary(measure, summary) : formatMeasure(measure, summary.median);
        },
      })),
  ];
  const rows = cases.map((one) => columns.map(({ cell }) => cell(one)));
  const table = await renderTable(columns, rows, stream);
  return several ? table : `${styled("bold", cases[0].model, stream)}\n${table}`;
}

/** Every number of a case, for --verbose. */
async function detailTable(one: BenchCase, stream: NodeJS.WriteStream): Promise<string> {
  const names = (Object.keys(benchMeasures) as BenchMeasure[]).filter((name) => one.measures[name]);
  const rows = names.map((name) => {
    const summary = one.measures[name]!;
    return [
      titleOf(name),
      formatMeasure(name, summary.median),
      formatMeasure(name, summary.min),
      formatMeasure(name, summary.max),
      `${(100 * summary.rel_mad).toFixed(1)}%`,
    ];
  });
  const columns: Column[] = [
    { title: "MEASURE", wrap: true },
    { title: "MEDIAN", align: "right" },
    { title: "LOWEST", align: "right" },
    { title: "HIGHEST", align: "right" },
    { title: "DEVIATION", align: "right" },
  ];
  return `${styled("bold", caseName(one), stream)}\n${await renderTable(columns, rows, stream)}`;
}

import { type BenchCase, type BenchMeasure, type BenchResult, benchMeasures } from "../core/index.js";
import { formatFigure, formatMeasure, formatSummary } from "./bench-number.js";
import { type Bar, escapeHtml, renderBarPlot, renderRangePlot, SERIES_COLOURS } from "./bench-plots.js";
import { benchFacts, titleOf } from "./bench-table.js";
import { formatMilliseconds } from "./units.js";

/** The page that --html writes: plots and every number, in one file that asks for nothing else. */
export function renderBenchPage(result: BenchResult): string {
  const models = [...new Set(result.cases.map(({ model }) => model))];
  const facts = benchFacts(result)
    .filter(([, value]) => value)
    .map(([name, value]) => `<dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value!)}</dd>`);
  const command = `hfms bench ${result.arguments.join(" ")}`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>hfms bench: ${escapeHtml(models.join(", "))}</title>
<style>${STYLE}</style>
<main>
<header>
<h1>hfms bench</h1>
<p><code>${escapeHtml(command)}</code></p>
<p>${escapeHtml(result.date.slice(0, 16).replace("T", " "))} UTC${result.complete ? "" : " · <strong>ended early: not every case was measured</strong>"}</p>
<dl>${facts.join("")}</dl>
</header>
${models.map((model) => modelSection(result.cases.filter((one) => one.model === model))).join("\n")}
<footer>Whiskers and ranges go from the lowest to the highest of the repeats; a bar is their median.${result.missing.map((reason) => ` ${escapeHtml(`${reason[0].toUpperCase()}${reason.slice(1)}.`)}`).join("")}</footer>
</main>
</html>
`;
}

function modelSection(cases: BenchCase[]): string {
  const [{ model, model_type, revision, task }] = cases;
  const plots = (task === "text-generation" ? generationPlots : embeddingPlots)
    .map((measure) => barPlot(cases, measure))
    .concat(
      task === "text-generation"
        ? [latencyPlot(cases, "between tokens", ["itl_p50_ms", "itl_p90_ms", "itl_p99_ms", "itl_max_ms"])]
        : [
            latencyPlot(cases, "a whole request", [
              "latency_p50_ms",
              "latency_p90_ms",
              "latency_p99_ms",
              "latency_max_ms",
            ]),
          ],
    )
    .filter((plot) => plot !== undefined);
  return `<section>
<h2>${escapeHtml(model)}</h2>
<p>${escapeHtml(`${model_type}, ${task}, ${revision}`)}</p>
<div class="plots">
${plots.join("\n")}
</div>
${numbersTable(cases)}
</section>`;
}

const generationPlots: BenchMeasure[] = [
  "generate_per_second",
  "prompt_per_second",
  "ttft_ms",
  "generate_per_second_stream",
  "peak_memory_bytes",
  "joules_per_token",
];
const embeddingPlots: BenchMeasure[] = [
  "texts_per_second",
  "tokens_per_second",
  "peak_memory_bytes",
  "joules_per_text",
];

/** Groups are batch sizes; series are everything else that differs. */
function barPlot(cases: BenchCase[], measure: BenchMeasure): string | undefined {
  if (!cases.some(({ measures }) => measures[measure])) return undefined;
  const batches = [...new Set(cases.map(({ batch }) => batch))];
  const names = seriesNames(cases);
  const { title, unit, better } = benchMeasures[measure];
  const scale = unit === "bytes" ? 1e-6 : 1;
  const shownUnit = unit === "bytes" ? "MB" : unit;
  const bar = (one: BenchCase | undefined, name: string): Bar | undefined => {
    const summary = one?.measures[measure];
    if (!one || !summary) return undefined;
    const label =
      `${name}, ${one.batch} at once: ${formatSummary(measure, summary)} ${unit === "bytes" ? "" : unit}`.trim();
    return { value: summary.median * scale, low: summary.min * scale, high: summary.max * scale, label };
  };
  return renderBarPlot({
    title,
    unit: shownUnit,
    note: `${better} is better`,
    axis: "requests at once",
    groups: batches.map(String),
    series: [...new Set(names)].map((name) => ({
      name,
      bars: batches.map((batch) =>
        bar(
          cases.find((one, i) => one.batch === batch && names[i] === name),
          name,
        ),
      ),
    })),
  });
}

function latencyPlot(cases: BenchCase[], title: string, measures: BenchMeasure[]): string | undefined {
  const names = seriesNames(cases);
  const points = ["p50", "p90", "p99", "longest"];
  const rows = cases
    .map((one, i) => ({
      name: `${names[i]} × ${one.batch}`,
      points: measures.flatMap((measure, m) => {
        const summary = one.measures[measure];
        return summary ? [{ name: points[m], value: summary.median }] : [];
      }),
    }))
    .filter((row) => row.points.length === measures.length);
  if (rows.length === 0) return undefined;
  return renderRangePlot({
    title: `time of ${title}`.replace("time of between", "time between"),
    unit: "ms",
    note: "left is better",
    rows,
  });
}

/** What tells a case from the others, batch size aside: only what differs. "int8" where all else is the same. */
function seriesNames(cases: BenchCase[]): string[] {
  const parts: ((one: BenchCase) => string | undefined)[] = [
    ({ dtype }) => dtype,
    ({ device }) => device,
    ({ prompt_tokens }) => (prompt_tokens ? `${prompt_tokens} in` : undefined),
    ({ max_tokens }) => (max_tokens ? `${max_tokens} out` : undefined),
  ];
  const telling = parts.filter((part, i) => i === 0 || new Set(cases.map(part)).size > 1);
  return cases.map((one) =>
    telling
      .map((part) => part(one))
      .filter(Boolean)
      .join(", "),
  );
}

function numbersTable(cases: BenchCase[]): string {
  const measures = (Object.keys(benchMeasures) as BenchMeasure[]).filter((name) =>
    cases.some((one) => one.measures[name]),
  );
  const names = seriesNames(cases);
  const head = cases.map((one, i) => `<th>${escapeHtml(names[i])} × ${one.batch}</th>`).join("");
  const row = (title: string, cells: string[]): string =>
    `<tr><th>${escapeHtml(title)}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  const rows = measures.map((measure) =>
    row(
      titleOf(measure),
      cases.map((one) => {
        const summary = one.measures[measure];
        if (!summary) return "";
        const range = `${formatMeasure(measure, summary.min)}–${formatMeasure(measure, summary.max)}`;
        return `${escapeHtml(formatMeasure(measure, summary.median))}<small>${escapeHtml(range)} · ±${formatFigure(100 * summary.rel_mad)}%</small>`;
      }),
    ),
  );
  rows.push(
    row(
      "load",
      cases.map(({ load_ms }) => escapeHtml(formatMilliseconds(load_ms))),
    ),
  );
  return `<div class="numbers"><table><thead><tr><th></th>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div>`;
}

/** Fill in plots and background in keys: series s0 …, percentiles p0 … p3 from light to strong. */
function colourClasses(): string {
  const names = [
    ...Array.from({ length: SERIES_COLOURS }, (_, i) => `s${i}`),
    ...Array.from({ length: 4 }, (_, i) => `p${i}`),
  ];
  return names.map((name) => `.${name}{fill:var(--${name});background:var(--${name})}`).join("");
}

const STYLE = `
:root{color-scheme:light dark;--page:#fbfbf9;--card:#fff;--ink:#1d1f22;--dim:#6a6f76;--line:#e4e4df;--whisker:#1d1f22b0;--p0:#9dc3f5;--p1:#5b94e4;--p2:#2a62bd;--p3:#143a7a;
--s0:#2f6fdb;--s1:#e0762e;--s2:#2a9d74;--s3:#b4489b;--s4:#c9a227;--s5:#6a5acd;--s6:#d14b4b;--s7:#4f9fb3}
@media (prefers-color-scheme:dark){:root{--page:#141618;--card:#1c1f22;--ink:#e7e8ea;--dim:#9aa0a8;--line:#33373c;--whisker:#e7e8eab0;--p0:#35598c;--p1:#4d83cf;--p2:#86b6f7;--p3:#d2e4ff;
--s0:#6aa2ff;--s1:#ff9d5c;--s2:#5cc9a0;--s3:#de84c9;--s4:#e6c652;--s5:#a196f5;--s6:#f08080;--s7:#7cc7d9}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 24px 48px}
h1{font-size:22px;margin:0}h2{font-size:18px;margin:40px 0 0;overflow-wrap:anywhere}
header p,section>p{margin:4px 0;color:var(--dim);overflow-wrap:anywhere}
code{font:13px/1.5 ui-monospace,monospace;color:var(--ink)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:2px 20px;margin:16px 0 0;font-size:14px}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(480px,100%),1fr));gap:16px;margin:16px 0;align-items:start}
figure{margin:0;padding:14px 16px 8px;background:var(--card);border:1px solid var(--line);border-radius:10px}
figcaption span{color:var(--dim);font-size:13px}
svg{display:block;width:100%;height:auto;margin-top:6px}
.key{display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 0;padding:0;list-style:none;font-size:13px;color:var(--dim)}
.key i{display:inline-block;width:10px;height:10px;border-radius:3px;margin-right:6px}
.grid{stroke:var(--line)}.tick,.axis{fill:var(--dim);font-size:11px}.name{fill:var(--ink);font-size:12px}
.value{fill:var(--ink);font-size:11px}.whisker{stroke:var(--whisker);fill:none;stroke-width:1.4}
.range{stroke:var(--dim);stroke-width:2;opacity:.5}.bar:hover rect{opacity:.8}
${colourClasses()}
.numbers{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:6px 14px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums}
thead th{color:var(--dim);font-weight:500}tbody th{text-align:left;font-weight:400}tr>th:first-child{position:sticky;left:0;background:var(--card)}tbody tr:last-child>*{border-bottom:0}
small{display:block;color:var(--dim);font-size:11px}
footer{margin-top:28px;color:var(--dim);font-size:13px}
`.replaceAll("\n", "");

// Writes the tables of results/*.json into a Markdown file, between <!-- bench --> and <!-- /bench -->:
//   node bench/render.ts [README.md]
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { checksTable, type Report, seriesTable } from "./report.ts";

const START = "<!-- bench -->";
const END = "<!-- /bench -->";

const file = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "..", "README.md"));
const reports = [
  "decode",
  "batching",
  "prefix",
  "speculation",
  "structured",
  "sampling",
  "stall",
  "embed",
  "hosts",
  "serve",
  "prototype",
  "startup",
  "convert",
]
  .map((name) => path.join(import.meta.dirname, "results", `${name}.json`))
  .filter((result) => existsSync(result))
  .map((result) => JSON.parse(readFileSync(result, "utf8")) as Report);
const text = readFileSync(file, "utf8");
const start = text.indexOf(START);
const end = text.indexOf(END, start);
if (start < 0 || end < 0) throw new Error(`${file} has no ${START} … ${END}`);
const rendered = reports.map(section).join("\n");
writeFileSync(file, `${text.slice(0, start + START.length)}\n\n${rendered}\n${text.slice(end)}`);
process.stdout.write(`${reports.length} results written to ${file}\n`);

function section(report: Report): string {
  return [
    `### ${report.title}`,
    "",
    markdown(seriesTable(report)),
    "",
    markdown(checksTable(report)),
    "",
    origin(report),
    "",
  ].join("\n");
}

/** The median of the rounds, and what they ranged over, with all that is needed to judge them. */
function origin({ machine, settings, date, commit }: Report): string {
  const peers = Object.entries(machine.peers).map(([name, version]) => `${name} (${version})`);
  const rounds = settings.rounds === undefined ? "" : `medians of ${settings.rounds} rounds, `;
  const threads = settings.threads === undefined ? "" : `${settings.threads} threads, `;
  return (
    `<sub>${date.slice(0, 10)}, commit ${commit.slice(0, 9)}, ${rounds}${threads}` +
    `${machine.cpu} (${machine.cores} cores, ${machine.instructionSets.join(" ")}), ${machine.memoryGiB} GiB, ${machine.os}, ` +
    `Node ${machine.node}, ONNX Runtime ${machine.onnxruntime}${peers.map((peer) => `, ${peer}`).join("")}; ` +
    `load ${machine.load.before} before, ${machine.load.after} after</sub>`
  );
}

/** A table with its columns aligned, as the formatter of this repository wants it. */
function markdown(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(3, ...rows.map((row) => row[column].length)));
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i])).join(" | ")} |`;
  const [head, ...rest] = rows;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rest.map(line)].join("\n");
}

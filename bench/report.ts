import { mkdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Engine } from "hfms";
import { describeCommit, describeMachine, loadNow, type Machine } from "./machine.ts";
import { awaitQuiet, QUIET } from "./quiet.ts";

/** What one benchmark found: the content of results/<name>.json. */
export interface Report {
  name: string;
  title: string;
  /** ISO 8601. */
  date: string;
  commit: string;
  /** The sources differed from the commit. */
  dirty: boolean;
  machine: Machine;
  settings: Record<string, string | number | boolean>;
  series: Series[];
  checks: Check[];
  /** Samples that other programs disturbed: they used more than a tenth of the processors just before. */
  disturbed: number;
}

/** One contender's numbers for one measure, a number a round. */
export interface Series {
  measure: string;
  contender: string;
  unit: string;
  samples: number[];
  median: number;
  min: number;
  max: number;
}

/** A number that something was asked of: a ratio of two series pair by pair, or a bound. */
export interface Check {
  label: string;
  unit: string;
  samples: number[];
  median: number;
  min: number;
  max: number;
  atLeast?: number;
  atMost?: number;
  /** Of the median; absent where nothing is asked. */
  met?: boolean;
}

export interface Target {
  atLeast?: number;
  atMost?: number;
}

/** Collects the numbers of a run, round by round, then writes and prints them. */
export class Recorder {
  readonly #about: Pick<Report, "name" | "title" | "settings">;
  readonly #machine: Machine;
  readonly #series = new Map<string, Series>();
  readonly #checks: Check[] = [];
  readonly #patience: number;
  #disturbed = 0;

  private constructor(
    about: Pick<Report, "name" | "title" | "settings">,
    machine: Machine,
    patience: number,
  ) {
    this.#about = about;
    this.#patience = patience;
    this.#machine = machine;
  }

  static async start(
    engine: Engine,
    about: Pick<Report, "name" | "title" | "settings"> & { patience: number; peers?: Record<string, string> },
  ): Promise<Recorder> {
    const { peers = {}, patience, ...rest } = about;
    return new Recorder(rest, await describeMachine(engine, peers), patience);
  }

  /** Measures once, when the machine is quiet; every measurement goes through here. */
  async sample<T>(work: () => Promise<T>): Promise<T> {
    if ((await awaitQuiet(this.#patience)) > QUIET) this.#disturbed += 1;
    return work();
  }

  add(measure: string, contender: string, unit: string, ...samples: number[]): void {
    const key = `${measure}\n${contender}`;
    const known = this.#series.get(key)?.samples ?? [];
    this.#series.set(key, { measure, contender, unit, ...summary([...known, ...samples]) });
    const shown = samples.map((sample) => rounded(sample)).join(" ");
    process.stderr.write(`  ${measure} · ${contender}: ${shown} ${unit}\n`);
  }

  samples(measure: string, contender: string): number[] {
    return this.#series.get(`${measure}\n${contender}`)?.samples ?? [];
  }

  /** How many times `of` the other is, sample by sample of the same round. */
  ratio(measure: string, of: string, to: string, target: Target = {}): void {
    const others = this.samples(measure, to);
    const pairs = this.samples(measure, of).map((sample, i) => sample / others[i]);
    if (pairs.length > 0 && others.length > 0) this.check(`${measure}: ${of} / ${to}`, "×", pairs, target);
  }

  check(label: string, unit: string, samples: number[], target: Target = {}): void {
    const numbers = summary(samples);
    const { atLeast, atMost } = target;
    const asked = atLeast !== undefined || atMost !== undefined;
    const met = numbers.median >= (atLeast ?? -Infinity) && numbers.median <= (atMost ?? Infinity);
    this.#checks.push({ label, unit, ...numbers, ...target, ...(asked && { met }) });
  }

  /** Writes results/<name>.json, or the file that is given, and prints the tables. */
  finish(file?: string): Report {
    const report: Report = {
      ...this.#about,
      date: new Date().toISOString(),
      ...describeCommit(),
      machine: { ...this.#machine, load: { before: this.#machine.load.before, after: loadNow() } },
      series: [...this.#series.values()],
      checks: this.#checks,
      disturbed: this.#disturbed,
    };
    const target = file ?? path.join(import.meta.dirname, "results", `${report.name}.json`);
    mkdirSync(path.dirname(target), { recursive: true });
    writeFileSync(target, `${JSON.stringify(report, null, 1)}\n`);
    process.stdout.write(`${printed(report)}\nwritten to ${target}\n`);
    return report;
  }
}

/** Rows of contenders by measures, as the median and what it ranged over. */
export function seriesTable({ series }: Pick<Report, "series">): string[][] {
  const measures = [...new Set(series.map(({ measure }) => measure))];
  const contenders = [...new Set(series.map(({ contender }) => contender))];
  const cell = (measure: string, contender: string): string => {
    const found = series.find((one) => one.measure === measure && one.contender === contender);
    return found ? `${rounded(found.median)} (${rounded(found.min)}–${rounded(found.max)})` : "";
  };
  const head = ["", ...measures.map((m) => `${m}, ${series.find(({ measure }) => measure === m)?.unit}`)];
  return [head, ...contenders.map((name) => [name, ...measures.map((measure) => cell(measure, name))])];
}

/** Rows of what was asked for and what came out. */
export function checksTable({ checks }: Pick<Report, "checks">): string[][] {
  const asked = ({ atLeast, atMost }: Check): string =>
    atLeast !== undefined ? `≥ ${atLeast}` : atMost !== undefined ? `≤ ${rounded(atMost)}` : "";
  return [
    ["", "median", "range", "target", ""],
    ...checks.map((check) => [
      check.label,
      `${rounded(check.median)} ${check.unit}`.trim(),
      check.samples.length > 1 ? `${rounded(check.min)}–${rounded(check.max)}` : "",
      asked(check),
      check.met === undefined ? "" : check.met ? "met" : "missed",
    ]),
  ];
}

/** The digits that count: 0.86, 1234, and a cosine's 0.99998. */
export function rounded(value: number): string {
  const cosine = Math.abs(value) > 0.99 && Math.abs(value) < 1;
  const digits = cosine ? 6 : Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0;
  return String(Number(value.toFixed(digits)));
}

function summary(samples: number[]): Pick<Series, "samples" | "median" | "min" | "max"> {
  if (samples.length === 0) throw new Error("nothing was measured");
  const sorted = [...samples].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { samples, median, min: sorted[0], max: sorted[sorted.length - 1] };
}

function printed(report: Report): string {
  const { machine, settings } = report;
  const facts = [
    `${report.title} (${report.commit.slice(0, 9)}${report.dirty ? ", changed" : ""})`,
    `${machine.cpu}, ${machine.cores} cores, ${machine.instructionSets.join(" ")}, load ${machine.load.before} → ${machine.load.after}, ${report.disturbed} samples disturbed by other programs`,
    Object.entries(settings)
      .map(([name, value]) => `${name} ${value}`)
      .join(", "),
  ];
  return `\n${facts.join("\n")}\n\n${aligned(seriesTable(report))}\n\n${aligned(checksTable(report))}\n`;
}

function aligned(rows: string[][]): string {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

import { type BenchMeasure, benchMeasures, type Summary } from "../core/index.js";
import { formatBytes } from "./units.js";

/** The three digits that count: 0.86, 1.24, 59.9, 1234. */
export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size > 0 && size < 0.1) return value.toPrecision(2);
  return value.toFixed(size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** A measured value with its unit, where the unit is not in the column's title. */
export function formatMeasure(measure: BenchMeasure, value: number): string {
  return benchMeasures[measure].unit === "bytes" ? formatBytes(value) : formatFigure(value);
}

/** "59.9 (50.7–66.1)": the median, and the lowest and highest of the repeats. */
export function formatSummary(measure: BenchMeasure, { median, min, max, samples }: Summary): string {
  const shown = formatMeasure(measure, median);
  if (samples.length < 2) return shown;
  return `${shown} (${formatMeasure(measure, min)}–${formatMeasure(measure, max)})`;
}

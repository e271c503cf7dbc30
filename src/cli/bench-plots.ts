import { formatFigure } from "./bench-number.js";

/** One bar of a plot: a median, and the lowest and highest sample as a whisker. */
export interface Bar {
  value: number;
  low: number;
  high: number;
  /** Said when the pointer rests on it. */
  label: string;
}

export interface BarPlot {
  title: string;
  unit: string;
  /** "lower is better", "higher is better". */
  note: string;
  /** Below each group of bars. */
  groups: string[];
  /** What the groups are: "requests at once". */
  axis: string;
  /** One list for each series, with an entry for each group; undefined where there is no number. */
  series: { name: string; bars: (Bar | undefined)[] }[];
}

const WIDTH = 560;
const HEIGHT = 240;
const LEFT = 52;
const BOTTOM = 44;
const TOP = 10;
const WIDEST_BAR = 44;

/** Bars in groups with whiskers, as SVG that takes its colours from the page (classes s0, s1 …). */
export function renderBarPlot(plot: BarPlot): string {
  const values = plot.series.flatMap(({ bars }) => bars.map((bar) => bar?.high ?? 0));
  const ticks = niceTicks(Math.max(...values));
  const top = ticks[ticks.length - 1];
  const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (1 - value / top);
  const group = (WIDTH - LEFT) / plot.groups.length;
  const bar = Math.min(WIDEST_BAR, (group * 0.8) / plot.series.length);
  const parts = ticks.map(
    (tick) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH}" y1="${px(y(tick))}" y2="${px(y(tick))}"/>` +
      `<text class="tick" x="${LEFT - 6}" y="${px(y(tick) + 4)}" text-anchor="end">${escapeHtml(tickLabel(tick))}</text>`,
  );
  plot.groups.forEach((name, g) => {
    const middle = LEFT + group * (g + 0.5);
    const start = middle - (bar * plot.series.length) / 2;
    plot.series.forEach(({ bars }, s) => {
      const one = bars[g];
      if (!one) return;
      const x = start + bar * s;
      const center = px(x + bar / 2);
      parts.push(
        `<g class="bar"><title>${escapeHtml(one.label)}</title>`,
        `<rect class="s${s % SERIES_COLOURS}" x="${px(x + 1)}" y="${px(y(one.value))}" width="${px(bar - 2)}" height="${px(y(0) - y(one.value))}" rx="2"/>`,
        one.high > one.low
          ? `<path class="whisker" d="M${center} ${px(y(one.high))}V${px(y(one.low))}M${px(x + bar / 2 - 4)} ${px(y(one.high))}h8M${px(x + bar / 2 - 4)} ${px(y(one.low))}h8"/>`
          : "",
        bar >= 26
          ? `<text class="value" x="${center}" y="${px(y(one.high) - 4)}" text-anchor="middle">${escapeHtml(formatFigure(one.value))}</text>`
          : "",
        "</g>",
      );
    });
    parts.push(
      `<text class="tick" x="${px(middle)}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${escapeHtml(name)}</text>`,
    );
  });
  parts.push(
    `<text class="axis" x="${px(LEFT + (WIDTH - LEFT) / 2)}" y="${HEIGHT - 8}" text-anchor="middle">${escapeHtml(plot.axis)}</text>`,
  );
  return figure(
    plot,
    plot.series.map(({ name }, s) => ({ name, colour: `s${s % SERIES_COLOURS}` })),
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(plot.title)}">${parts.join("")}</svg>`,
  );
}

export interface RangePlot {
  title: string;
  unit: string;
  note: string;
  /** From the lowest to the highest: `points` are marked on the line from first to last. */
  rows: { name: string; points: { name: string; value: number }[] }[];
}

const ROW = 34;
const NAME = 190;

/** A line for each row with its points (classes p0, p1 …), on a common scale. */
export function renderRangePlot(plot: RangePlot): string {
  const height = TOP + ROW * plot.rows.length + 24;
  const ticks = niceTicks(Math.max(...plot.rows.flatMap(({ points }) => points.map(({ value }) => value))));
  const top = ticks[ticks.length - 1];
  const x = (value: number): number => NAME + (WIDTH - NAME - 16) * (value / top);
  const bottom = TOP + ROW * plot.rows.length;
  const parts = ticks.map(
    (tick) =>
      `<line class="grid" x1="${px(x(tick))}" x2="${px(x(tick))}" y1="${TOP}" y2="${bottom}"/>` +
      `<text class="tick" x="${px(x(tick))}" y="${bottom + 16}" text-anchor="middle">${escapeHtml(tickLabel(tick))}</text>`,
  );
  plot.rows.forEach(({ name, points }, r) => {
    const y = TOP + ROW * (r + 0.5);
    const values = points.map(({ value }) => value);
    parts.push(
      `<text class="name" x="${NAME - 10}" y="${y + 4}" text-anchor="end">${escapeHtml(name)}</text>`,
      `<line class="range" x1="${px(x(Math.min(...values)))}" x2="${px(x(Math.max(...values)))}" y1="${y}" y2="${y}"/>`,
      ...points.map(
        (point, p) =>
          `<circle class="p${p}" cx="${px(x(point.value))}" cy="${y}" r="5"><title>${escapeHtml(`${name}, ${point.name}: ${formatFigure(point.value)} ${plot.unit}`)}</title></circle>`,
      ),
    );
  });
  return figure(
    plot,
    plot.rows[0].points.map(({ name }, p) => ({ name, colour: `p${p}` })),
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeHtml(plot.title)}">${parts.join("")}</svg>`,
  );
}

/** Colours that the page has for series; the ninth is the first again. */
export const SERIES_COLOURS = 8;

/** Text between tags and in attributes. */
export function escapeHtml(text: string): string {
  const entities: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]);
}

function figure(
  { title, unit, note }: { title: string; unit: string; note: string },
  keys: { name: string; colour: string }[],
  svg: string,
): string {
  const items = keys.map(({ name, colour }) => `<li><i class="${colour}"></i>${escapeHtml(name)}</li>`);
  const key = keys.length > 1 ? `<ul class="key">${items.join("")}</ul>` : "";
  return `<figure><figcaption><b>${escapeHtml(title)}</b> <span>${escapeHtml(unit)}, ${escapeHtml(note)}</span></figcaption>${key}${svg}</figure>`;
}

/** 0 and up to five round steps to the highest value or above it. */
function niceTicks(highest: number): number[] {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= rough)!;
  return Array.from({ length: Math.ceil(highest / step) + 1 }, (_, i) => i * step);
}

function tickLabel(value: number): string {
  return String(Number(value.toPrecision(6)));
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

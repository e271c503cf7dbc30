import { stripVTControlCharacters } from "node:util";
import { renderFacts, wrapWords } from "./facts.js";
import { styled, terminalWidth } from "./style.js";

export interface Column {
  title: string;
  align?: "left" | "right";
  /** May be wrapped when the terminal is narrow; other columns keep their width. */
  wrap?: boolean;
  /** Left out when the terminal is narrow. */
  optional?: boolean;
}

const GAP = 2;
const NARROWEST = 16;

/**
 * A table without lines, fitted to the terminal's width by wrapping and by leaving optional columns out. Where even that
 * isn't enough, each row becomes a block of `title value` lines. Into a pipe or file every row is one line.
 */
export async function renderTable(
  columns: Column[],
  rows: string[][],
  stream: NodeJS.WriteStream,
): Promise<string> {
  const width = terminalWidth(stream);
  const natural = columns.map((column, i) =>
    Math.max(column.title.length, ...rows.map((row) => longestLine(row[i]))),
  );
  const widths = width === undefined ? natural : fitted(columns, natural, width);
  if (widths) return drawTable(columns, rows, widths, stream);
  const spare = columns.findLastIndex(({ optional }) => optional);
  if (spare < 0) return drawBlocks(columns, rows, stream);
  const without = <T>(list: T[]) => list.toSpliced(spare, 1);
  return renderTable(without(columns), rows.map(without), stream);
}

/** Column widths that fit, or undefined when the wrapped columns would get too thin to read. */
function fitted(columns: Column[], natural: number[], width: number): number[] | undefined {
  const gaps = GAP * (columns.length - 1);
  let over = natural.reduce((sum, n) => sum + n, gaps) - width;
  const widths = [...natural];
  while (over > 0) {
    const widest = columns
      .map((_, i) => i)
      .filter((i) => columns[i].wrap && widths[i] > NARROWEST)
      .sort((a, b) => widths[b] - widths[a])[0];
    if (widest === undefined) return undefined;
    widths[widest]--;
    over--;
  }
  return widths;
}

async function drawTable(
  columns: Column[],
  rows: string[][],
  widths: number[],
  stream: NodeJS.WriteStream,
): Promise<string> {
  const { default: Table } = await import("cli-table3");
  const none = "";
  const table = new Table({
    head: columns.map(({ title }) => styled(["dim"], title, stream)),
    colWidths: widths.map((n) => n + GAP),
    colAligns: columns.map(({ align }) => align ?? "left"),
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": GAP },
    chars: {
      ...{ top: none, "top-mid": none, "top-left": none, "top-right": none, middle: none },
      ...{ bottom: none, "bottom-mid": none, "bottom-left": none, "bottom-right": none },
      ...{ left: none, "left-mid": none, mid: none, "mid-mid": none, right: none, "right-mid": none },
    },
  });
  table.push(...rows.map((row) => row.map((cell, i) => wrapCell(cell, widths[i]))));
  return trimmed(table.toString());
}

function drawBlocks(columns: Column[], rows: string[][], stream: NodeJS.WriteStream): string {
  return rows
    .map((row) =>
      renderFacts(
        row.map((cell, i) => [columns[i].title, stripVTControlCharacters(cell)]),
        stream,
      ),
    )
    .join("\n\n");
}

/** Wraps a cell that is coloured as a whole, or not at all: each of its lines keeps the colour. */
function wrapCell(cell: string, width: number): string {
  const plain = stripVTControlCharacters(cell);
  const at = cell.indexOf(plain);
  const [before, after] = [cell.slice(0, at), cell.slice(at + plain.length)];
  return wrapWords(plain, width)
    .map((line) => before + line + after)
    .join("\n");
}

function longestLine(text: string): number {
  return Math.max(
    ...stripVTControlCharacters(text)
      .split("\n")
      .map((line) => line.length),
  );
}

function trimmed(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

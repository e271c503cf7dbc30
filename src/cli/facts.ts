import { terminalWidth } from "./style.js";

const GAP = 2;
const NARROWEST = 16;

/** Lines of `name   value`, the values in one column; facts that are not known are left out. */
export function renderFacts(facts: [string, string | undefined][], stream: NodeJS.WriteStream): string {
  const known = facts.filter((fact): fact is [string, string] => fact[1] !== undefined && fact[1] !== "");
  const left = Math.max(...known.map(([name]) => name.length)) + GAP;
  const width = terminalWidth(stream);
  return known
    .map(([name, value]) => {
      const lines = width === undefined ? [value] : wrapWords(value, Math.max(NARROWEST, width - left));
      return name.padEnd(left) + lines.join(`\n${" ".repeat(left)}`);
    })
    .join("\n");
}

/** Breaks plain text at blanks. A word that is longer than a line is broken after a slash or dash, or anywhere. */
export function wrapWords(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    let line = "";
    for (const word of paragraph.split(" ").flatMap((word) => broken(word, width))) {
      if (line !== "" && line.length + 1 + word.length > width) {
        lines.push(line);
        line = word;
      } else line = line === "" ? word : `${line} ${word}`;
    }
    lines.push(line);
  }
  return lines;
}

function broken(word: string, width: number): string[] {
  const parts: string[] = [];
  let rest = word;
  while (rest.length > width) {
    const head = rest.slice(0, width);
    const mark = Math.max(head.lastIndexOf("/"), head.lastIndexOf("-")) + 1;
    const end = mark > width / 3 ? mark : width;
    parts.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...parts, rest];
}

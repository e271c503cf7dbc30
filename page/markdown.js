import { element } from "./element.js";

/**
 * The little Markdown that models write most: code blocks, headings, lists, rules, and inside a line code, bold and
 * italic. Everything else is text. Links stay text: where a model points, nobody should go by accident.
 *
 * @typedef {{ type: "code", language: string, text: string, open: boolean }
 *   | { type: "heading", level: number, text: string }
 *   | { type: "list", ordered: boolean, start: number, items: { text: string, depth: number }[] }
 *   | { type: "rule" }
 *   | { type: "quote", text: string }
 *   | { type: "paragraph", text: string }} Block
 */

/**
 * @param {string} text
 * @returns {Block[]}
 */
export function blocksOf(text) {
  /** @type {Block[]} */
  const blocks = [];
  const lines = text.split("\n");
  for (let index = 0; index < lines.length; index += 1) {
    const line = lines[index];
    const fence = /^ {0,3}(`{3,}|~{3,})\s*([^\s`]*)/.exec(line);
    if (fence) {
      const end = closingFence(lines, index + 1, fence[1]);
      blocks.push({
        type: "code",
        language: fence[2],
        text: lines.slice(index + 1, end).join("\n"),
        open: end === lines.length,
      });
      index = end;
      continue;
    }
    if (line.trim() !== "") addLine(blocks, line, index > 0 && lines[index - 1].trim() !== "");
  }
  return blocks;
}

/**
 * @param {string[]} lines
 * @param {number} from
 * @param {string} opening
 */
function closingFence(lines, from, opening) {
  for (let index = from; index < lines.length; index += 1) {
    const line = lines[index].trim();
    if (line.length >= opening.length && line === opening[0].repeat(line.length)) return index;
  }
  return lines.length;
}

/**
 * @param {Block[]} blocks
 * @param {string} line not empty
 * @param {boolean} goesOn there is no empty line before it
 */
function addLine(blocks, line, goesOn) {
  const last = blocks.at(-1);
  const heading = /^ {0,3}(#{1,6})\s+(.*)$/.exec(line);
  if (heading) {
    blocks.push({ type: "heading", level: heading[1].length, text: heading[2].trim() });
    return;
  }
  if (/^ {0,3}([-*_])(\s*\1){2,}\s*$/.test(line)) {
    blocks.push({ type: "rule" });
    return;
  }
  const item = /^(\s*)(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/.exec(line);
  if (item) {
    const [, indent, number, text] = item;
    const entry = { text, depth: Math.min(3, Math.floor(indent.replaceAll("\t", "  ").length / 2)) };
    const ordered = number !== undefined;
    if (last?.type === "list" && (last.ordered === ordered || entry.depth > 0)) last.items.push(entry);
    else blocks.push({ type: "list", ordered, start: Number(number ?? 1), items: [entry] });
    return;
  }
  const quote = /^ {0,3}> ?(.*)$/.exec(line);
  if (quote) {
    if (goesOn && last?.type === "quote") last.text += `\n${quote[1]}`;
    else blocks.push({ type: "quote", text: quote[1] });
    return;
  }
  if (last?.type === "list" && (goesOn || /^\s{2,}/.test(line))) {
    const entry = last.items[last.items.length - 1];
    entry.text += `\n${line.trim()}`;
  } else if (goesOn && last?.type === "paragraph") last.text += `\n${line}`;
  else blocks.push({ type: "paragraph", text: line });
}

/**
 * Shows blocks in a container. Those that are shown already stay, so that a selection or an open scroll in them
 * survives while the text behind them grows.
 *
 * @param {HTMLElement} container
 * @param {Block[]} blocks
 */
export function showBlocks(container, blocks) {
  const before = shown.get(container) ?? [];
  const sources = blocks.map((block) => JSON.stringify(block));
  const same = sources.findIndex((source, index) => source !== before[index]);
  const first = same === -1 ? sources.length : same;
  while (container.children.length > first) container.lastElementChild?.remove();
  container.append(...blocks.slice(first).map(blockElement));
  shown.set(container, sources);
}

/** @type {WeakMap<HTMLElement, string[]>} */
const shown = new WeakMap();

/** @param {Block} block */
function blockElement(block) {
  switch (block.type) {
    case "code":
      return codeElement(block.text, block.language);
    case "heading":
      // The page's own headings are levels 1 and 2.
      return element(/** @type {"h3"} */ (`h${Math.min(6, block.level + 2)}`), {}, ...inline(block.text));
    case "list":
      return listElement(block);
    case "rule":
      return element("hr");
    case "quote":
      return element("blockquote", {}, ...inline(block.text));
    default:
      return element("p", {}, ...inline(block.text));
  }
}

/** @param {Extract<Block, { type: "list" }>} list */
function listElement({ ordered, start, items }) {
  const entries = items.map(({ text, depth }) => element("li", { class: `depth-${depth}` }, ...inline(text)));
  return ordered ? element("ol", { start }, ...entries) : element("ul", {}, ...entries);
}

/**
 * @param {string} text
 * @param {string} language
 */
function codeElement(text, language) {
  const copy = element("button", { type: "button", class: "quiet copy" }, "Copy");
  copy.addEventListener("click", () => copyText(text, copy));
  return element(
    "div",
    { class: "code" },
    element("div", { class: "code-head" }, element("span", {}, language || "code"), copy),
    element(
      "pre",
      { tabindex: 0, role: "region", "aria-label": `${language} code`.trim() },
      element("code", {}, text),
    ),
  );
}

/**
 * @param {string} text
 * @param {HTMLElement} button says how it went
 */
export async function copyText(text, button) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Not allowed";
  }
  setTimeout(() => {
    button.textContent = before;
  }, 1500);
}

/**
 * `code`, **bold**, *italic*: emphasis stands next to a word, so that 2 * 3 stays what it is. What is longer than the
 * limit is text, so that no text takes long to read.
 */
const INLINE =
  /(?<!`)(`{1,8})(?!`)([\s\S]{1,400}?)(?<!`)\1(?!`)|\*\*(?=[^\s*])([^*]{1,400}?)(?<=\S)\*\*|\*(?=[^\s*])([^*\n]{1,400}?)(?<=\S)\*(?!\*)/g;

/**
 * A line as nodes.
 *
 * @param {string} text
 * @returns {(Node | string)[]}
 */
export function inline(text) {
  return inlineParts(text).map(({ type, text: inner }) =>
    type === "text" ? inner : element(type, {}, inner),
  );
}

/**
 * @param {string} text
 * @returns {{ type: "text" | "code" | "strong" | "em", text: string }[]}
 */
export function inlineParts(text) {
  /** @type {{ type: "text" | "code" | "strong" | "em", text: string }[]} */
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(INLINE)) {
    const [whole, , code, strong, em] = match;
    if (match.index > end) parts.push({ type: "text", text: text.slice(end, match.index) });
    if (code !== undefined) parts.push({ type: "code", text: code.trim() || code });
    else if (strong !== undefined) parts.push({ type: "strong", text: strong });
    else parts.push({ type: "em", text: em });
    end = match.index + whole.length;
  }
  if (end < text.length) parts.push({ type: "text", text: text.slice(end) });
  return parts;
}

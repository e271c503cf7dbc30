import { describe, expect, it } from "vitest";
import { blocksOf, inlineParts } from "../../page/markdown.js";
import fc from "../property.js";

describe("blocks", () => {
  it("are code between fences, with its language, and open while the fence is", () => {
    const text = "Look:\n```python\ndef f():\n    return 1\n```\nDone";
    expect(blocksOf(text)).toEqual([
      { type: "paragraph", text: "Look:" },
      { type: "code", language: "python", text: "def f():\n    return 1", open: false },
      { type: "paragraph", text: "Done" },
    ]);
    expect(blocksOf("~~~\n```\nx")).toEqual([{ type: "code", language: "", text: "```\nx", open: true }]);
  });

  it("are headings, rules and quotes", () => {
    expect(blocksOf("##  A title \n---\n> said\n> so")).toEqual([
      { type: "heading", level: 2, text: "A title" },
      { type: "rule" },
      { type: "quote", text: "said\nso" },
    ]);
  });

  it("are lists with their depth, whose lines may go on", () => {
    expect(blocksOf("3. one\n   more\n4. two\n\n- a\n  - b")).toEqual([
      {
        type: "list",
        ordered: true,
        start: 3,
        items: [
          { text: "one\nmore", depth: 0 },
          { text: "two", depth: 0 },
        ],
      },
      {
        type: "list",
        ordered: false,
        start: 1,
        items: [
          { text: "a", depth: 0 },
          { text: "b", depth: 1 },
        ],
      },
    ]);
  });

  it("end at an empty line", () => {
    expect(blocksOf("a\nb\n\nc").map((block) => "text" in block && block.text)).toEqual(["a\nb", "c"]);
  });

  it("of a text that grows change only at the end", () => {
    const line = fc.constantFrom(
      "text",
      "- item",
      "1. one",
      "```js",
      "```",
      "",
      "# head",
      "> quote",
      "  more",
    );
    fc.assert(
      fc.property(fc.array(line), line, (lines, next) => {
        const before = blocksOf(lines.join("\n"));
        const after = blocksOf([...lines, next].join("\n"));
        expect(after.slice(0, Math.max(0, before.length - 1))).toEqual(before.slice(0, -1));
      }),
    );
  });
});

describe("a line", () => {
  it("has code, bold and italic", () => {
    expect(inlineParts("`a*b*` is **very** *good*.")).toEqual([
      { type: "code", text: "a*b*" },
      { type: "text", text: " is " },
      { type: "strong", text: "very" },
      { type: "text", text: " " },
      { type: "em", text: "good" },
      { type: "text", text: "." },
    ]);
  });

  it("keeps signs that mean nothing", () => {
    for (const text of ["2 * 3 * 4", "a ** b", "`open", "*", "<b>no</b>", "[x](javascript:alert(1))"]) {
      expect(inlineParts(text), text).toEqual([{ type: "text", text }]);
    }
  });

  it("loses no letter", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("*", "`", " ", "a", "\n") }), (text) => {
        const letters = (of: string) => of.replaceAll(/[^a]/g, "");
        const shown = inlineParts(text).map((part) => part.text);
        expect(letters(shown.join(""))).toBe(letters(text));
      }),
    );
  });

  it("takes no time to speak of, whatever is in it", () => {
    const text = "*a ".repeat(20_000) + "`".repeat(20_000) + "**b ".repeat(20_000) + "``c".repeat(20_000);
    expect(
      inlineParts(text)
        .map((part) => part.text)
        .join("").length,
    ).toBeGreaterThan(100_000);
    expect(blocksOf(`# ${" ".repeat(100_000)}x`)).toEqual([{ type: "heading", level: 1, text: "x" }]);
  });
});

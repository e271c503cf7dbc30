import { describe, expect, it } from "vitest";
import { JsonScanner } from "../../../src/core/text/json-scanner.js";
import fc from "../../property.js";

/** Where the scanner stops and how, fed with the pieces one after the other. */
function scan(pieces: string[]): { state: string; length: number } {
  const scanner = new JsonScanner();
  let length = 0;
  for (const piece of pieces) {
    const end = scanner.scan(piece, 0);
    length += end;
    if (scanner.state !== "open") break;
  }
  return { state: scanner.state, length };
}

const json = fc.jsonValue().chain((value) =>
  fc.constantFrom(
    ...[undefined, 2, "\t"].map((indent) => JSON.stringify(value, undefined, indent)),
    // With every character beyond ASCII as an escape.
    JSON.stringify(value).replaceAll(
      /[^ -~]/g,
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    ),
  ),
);

describe("the JSON scanner", () => {
  it("accepts every document, in one piece or character by character", () => {
    fc.assert(
      fc.property(json, (text) => {
        const done = { state: "done", length: text.length };
        // A number ends where something else begins.
        expect(scan([`${text} `])).toEqual(done);
        expect(scan([...`${text} `])).toEqual(done);
      }),
    );
  });

  it("accepts what JSON.parse accepts, and nothing else", () => {
    const damaged = fc
      .tuple(json, fc.nat(), fc.nat({ max: 2 }), fc.constantFrom(...'{}[]",:\\0123.-+eE tfn\n\tx'))
      .map(([text, at, removed, char]) => {
        const from = at % (text.length + 1);
        return text.slice(0, from) + char + text.slice(from + removed);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        const { state, length } = scan([`${text}\n`]);
        const whole = state === "done" && text.slice(length).trim() === "";
        expect(whole).toBe(parses(text));
      }),
      { numRuns: 500 },
    );
  });

  it("fails at the first character that can't be right", () => {
    expect(scan(['{"a": 01}'])).toEqual({ state: "failed", length: 7 });
    expect(scan(['{"a": tru', "ly}"])).toEqual({ state: "failed", length: 9 });
    expect(scan(["[1,]"])).toEqual({ state: "failed", length: 3 });
    expect(scan(['"line\n'])).toEqual({ state: "failed", length: 5 });
    expect(scan(['"\\x'])).toEqual({ state: "failed", length: 2 });
    expect(scan(["[".repeat(300)])).toMatchObject({ state: "failed" });
  });

  it("stops behind the value", () => {
    expect(scan(['{"a": [1]}, more'])).toEqual({ state: "done", length: 10 });
    expect(scan(["12", "3}"])).toEqual({ state: "done", length: 3 });
  });
});

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

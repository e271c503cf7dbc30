import { describe, expect, it } from "vitest";
import { toJson } from "../../src/cli/json.js";
import { nearest } from "../../src/cli/nearest.js";
import { parseNumber } from "../../src/cli/number-flag.js";
import {
  formatAge,
  formatBytes,
  formatCount,
  formatDuration,
  formatMilliseconds,
} from "../../src/cli/units.js";
import { HfmsError } from "../../src/core/index.js";
import fc from "../property.js";

describe("units for people", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1 kB"],
    [98_100_000, "98.1 MB"],
    [999_999_999, "1 GB"],
    [1_240_000_000, "1.24 GB"],
    [134_515_008, "135 MB"],
    [20_000_000, "20 MB"],
    [1_050_000, "1.05 MB"],
  ])("writes %d bytes as %s", (bytes, text) => expect(formatBytes(bytes)).toBe(text));

  it.each([
    [22_700_000, "22.7M"],
    [134_515_008, "135M"],
    [1_240_000_000, "1.24B"],
    [512, "512"],
  ])("writes %d parameters as %s", (count, text) => expect(formatCount(count)).toBe(text));

  it.each([
    [0.4, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [185, "3 min 5 s"],
    [7800, "2 h 10 min"],
  ])("writes %d seconds as %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it("writes short times in milliseconds and long ones in seconds", () => {
    expect([formatMilliseconds(12.6), formatMilliseconds(1234)]).toEqual(["13 ms", "1.23 s"]);
  });

  it("writes how long ago something was", () => {
    const now = new Date("2026-03-10T12:00:00Z");
    const ago = (seconds: number) => formatAge(new Date(now.getTime() - 1000 * seconds), now);
    expect([10, 60, 7200, 3 * 86_400, 100 * 86_400].map(ago)).toEqual([
      "just now",
      "1 minute ago",
      "2 hours ago",
      "3 days ago",
      "2025-11-30",
    ]);
  });

  it("never needs more than nine characters for a size", () => {
    fc.assert(fc.property(fc.nat({ max: 2 ** 50 }), (bytes) => formatBytes(bytes).length <= 9));
  });
});

describe("the JSON document", () => {
  it("keeps lists of numbers on one line, and strings that look like one as they are", () => {
    expect(toJson({ tokens: [1, -2.5, 3e-7], text: "[\n  1,\n  2\n]", empty: [] })).toBe(
      '{\n  "tokens": [1, -2.5, 3e-7],\n  "text": "[\\n  1,\\n  2\\n]",\n  "empty": []\n}',
    );
  });

  it("writes keys in snake_case and values as they are", () => {
    expect(
      JSON.parse(toJson({ modelType: "myType", list: [{ contextLength: 1 }], finish_reason: null })),
    ).toEqual({
      model_type: "myType",
      list: [{ context_length: 1 }],
      finish_reason: null,
    });
  });

  it("says the same as JSON.stringify", () => {
    const key = fc.stringMatching(/^[a-z_]{1,8}$/);
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        fc.string(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.boolean(),
        tie("list"),
        tie("object"),
      ),
      list: fc.array(tie("value"), { maxLength: 4 }),
      object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    }));
    fc.assert(
      fc.property(tree.object, (value) => {
        expect(JSON.parse(toJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});

describe("the nearest name", () => {
  it.each([
    ["emebd", "embed"],
    ["hardwear", "hardware"],
    ["lst", "list"],
    ["disc", "discover"],
    ["xylophone", undefined],
  ])("of %s is %s", (typed, meant) => {
    expect(nearest(typed, ["embed", "hardware", "list", "discover", "rm"])).toBe(meant);
  });
});

describe("a number on the command line", () => {
  it("is taken in every usual notation", () => {
    expect(["1", "-0.5", ".5", "+3", "1e-3", "2."].map((text) => parseNumber(text, {}, "x"))).toEqual([
      1, -0.5, 0.5, 3, 0.001, 2,
    ]);
  });

  it("is either the number that was typed, or an error that names flag and value", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String)), (typed) => {
        try {
          expect(parseNumber(typed, { min: 0, max: 2 }, "top")).toBe(Number(typed));
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
          expect((error as HfmsError).message).toBe(`--top can't be "${typed}"`);
        }
      }),
    );
  });

  it.each(["", " ", "NaN", "Infinity", "0x10", "1,5", "1_000", "ten", "1e999"])("is not %j", (typed) => {
    expect(() => parseNumber(typed, {}, "x")).toThrow(HfmsError);
  });
});

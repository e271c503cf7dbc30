import { describe, expect, it } from "vitest";
import {
  formatDuration,
  formatSize,
  LONGEST_DURATION,
  parseDuration,
  parseSize,
} from "../../../src/server/config/quantity.js";
import fc from "../../property.js";

describe("a duration", () => {
  it.each([
    ["250ms", 250],
    ["30s", 30_000],
    ["1.5m", 90_000],
    [" 2 h ", 7_200_000],
    ["1D", 86_400_000],
    ["0", 0],
    ["0s", 0],
    ["forever", -1],
    ["-1", -1],
  ])("%j is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(["30", "1", "-5s", "5 minutes", "s", "", "1e3s", "0.4ms", "NaN", "Infinity", "0x10s", "9e99d"])(
    "is not %j: it needs a unit, and more than nothing is never nothing",
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it("is read back as it is written, whatever it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: LONGEST_DURATION }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });

  it("is a whole number of milliseconds or nothing, whatever is typed", () => {
    const typed = fc.oneof(fc.string(), fc.stringMatching(/^-?\d{1,20}(\.\d{1,5})? ?(ms|s|m|h|d)?$/));
    fc.assert(
      fc.property(typed, (text) => {
        const ms = parseDuration(text);
        expect(ms === undefined || ms === -1 || (Number.isSafeInteger(ms) && ms >= 0)).toBe(true);
      }),
    );
  });
});

describe("a size", () => {
  it.each([
    ["10MB", 10_000_000],
    ["10MiB", 10_485_760],
    ["1.5kb", 1500],
    ["512 KiB", 524_288],
    ["1gib", 2 ** 30],
    ["10485760", 10_485_760],
    ["7B", 7],
  ])("%j is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["10M", "10 megabytes", "-1MB", "MB", "", "1e6", "0.1B", "iB", "1TB"])("is not %j", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it("is read back as it is written, whatever it is", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 40 }), (bytes) => {
        expect(parseSize(formatSize(bytes))).toBe(bytes);
      }),
    );
  });
});

import { describe, expect, it } from "vitest";
import { readConfig } from "../../src/core/config.js";

describe("HFMS_SPIN", () => {
  it.each([
    ["1", true],
    ["yes", true],
    ["0", false],
    ["50us", 50],
    [" 0 US", 0],
    ["", undefined],
  ])("%j says how long threads wait busily", (value, spin) => {
    expect(readConfig({ HFMS_SPIN: value }).spin).toBe(spin);
  });
});

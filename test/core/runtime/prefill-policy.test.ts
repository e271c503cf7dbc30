import { describe, expect, it } from "vitest";
import { prefersFloats } from "../../../src/core/runtime/prefill-policy.js";

const small = 135_000_000;
const large = 8_000_000_000;

describe("whether a prompt goes through the graph that multiplies in float32", () => {
  it.each([
    { tokens: 1000, parameters: small, fastInt8: false, floats: true },
    { tokens: 1000, parameters: small, fastInt8: true, floats: false },
    { tokens: 1000, parameters: large, fastInt8: false, floats: false },
    // Attention over bytes would take longer than the products save.
    { tokens: 1000, parameters: small, fastInt8: true, int8Cache: true, floats: true },
    // The largest matrix would stand in memory as floats.
    { tokens: 1000, parameters: large, fastInt8: false, int8Cache: true, floats: false },
    { tokens: 1, parameters: small, fastInt8: false, int8Cache: true, floats: false },
  ])("%o", ({ tokens, floats, ...facts }) => {
    expect(prefersFloats(tokens, facts)).toBe(floats);
  });
});

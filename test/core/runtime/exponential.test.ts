import { describe, expect, it } from "vitest";
import { exponential, LEAST_EXPONENT } from "../../../src/core/runtime/exponential.js";

describe("the exponential", () => {
  it("is that of Math.exp in 13 digits, down to its least exponent", () => {
    expect(exponential(0)).toBe(1);
    let worst = 0;
    for (let x = 0; x >= LEAST_EXPONENT; x -= 0.00137)
      worst = Math.max(worst, Math.abs(exponential(x) / Math.exp(x) - 1));
    expect(worst).toBeLessThan(1e-14);
    expect(exponential(LEAST_EXPONENT) / Math.exp(LEAST_EXPONENT)).toBeCloseTo(1, 13);
  });
});

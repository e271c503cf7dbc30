/** Below this `exponential` does not reach. e^-64 of each of a billion tokens is still nothing beside 1 in float64. */
export const LEAST_EXPONENT = -64;

const ROOT_BITS = 10;
const ROOTS = 1 << ROOT_BITS;
const STEP = Math.LN2 / ROOTS;
/** Whole halvings down to the least exponent, with one to spare. */
const HALVINGS = Math.ceil(-LEAST_EXPONENT / Math.LN2) + 1;
/** 2^(i - HALVINGS), and 2^(j / 1024). */
const powers = Float64Array.from({ length: HALVINGS + 1 }, (_, i) => 2 ** (i - HALVINGS));
const roots = Float64Array.from({ length: ROOTS }, (_, j) => 2 ** (j / ROOTS));

/**
 * e^x for x in [-64, 0], with a relative error below 1e-14: three times as fast as Math.exp, which would be most of what
 * sampling from a large vocabulary costs. x is a number of steps of ln 2 / 1024 and a rest r of half a step at most,
 * whose series is over after the cube: r^4 / 24 < 1e-15.
 */
export function exponential(x: number): number {
  const steps = (x * (1 / STEP) + (HALVINGS * ROOTS + 0.5)) | 0;
  const r = x - (steps - HALVINGS * ROOTS) * STEP;
  return powers[steps >> ROOT_BITS] * roots[steps & (ROOTS - 1)] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6))));
}

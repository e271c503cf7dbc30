/** Below this `exponential` does not reach. e^-64 of each of a billion tokens is still nothing beside 1 in float64. */
export const LEAST_EXPONENT = -64;

const STEPS_PER_OCTAVE = 32;
const STEP = Math.LN2 / STEPS_PER_OCTAVE;
/** Steps below 0, with one to spare. */
const STEPS = Math.ceil(-LEAST_EXPONENT / STEP) + 1;
/** steps[i] = e^((i - STEPS) STEP). */
const steps = Float64Array.from({ length: STEPS + 1 }, (_, i) => 2 ** ((i - STEPS) / STEPS_PER_OCTAVE));

/**
 * e^x for x in [-64, 0], with a relative error below 1e-14: three times as fast as Math.exp, which would be most of what
 * sampling from a large vocabulary costs. x is a step of the table and a rest r, |r| ≤ ln 2 / 64, whose series is short.
 */
export function exponential(x: number): number {
  const step = (x * (1 / STEP) + (STEPS + 0.5)) | 0;
  const r = x - (step - STEPS) * STEP;
  return steps[step] * (1 + r * (1 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120))))));
}

import type { Rope, RopeFactors, RopeScaling } from "./rope.js";

/** Factors out of a tensor of the file. */
export type ReadTensor = (tensor: string) => Promise<Float32Array>;

/**
 * What a position turns each pair of components by, [rotaryDim / 2] angles. Longrope has two sets: `long` asks for that
 * of texts beyond the original length.
 */
export async function inverseFrequencies(
  { theta, rotaryDim, scaling }: Rope,
  read: ReadTensor,
  { long = false } = {},
): Promise<Float32Array> {
  const powers = Float64Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((2 * i) / rotaryDim));
  const base = Float32Array.from(powers, (power) => 1 / power);
  switch (scaling?.type) {
    case undefined:
      return base;
    case "linear":
      return base.map((frequency) => frequency / scaling.factor);
    case "factors": {
      const by = await read(scaling.tensor);
      return base.map((frequency, i) => frequency / by[i]);
    }
    case "longrope":
      return divided(powers, await factors(long ? scaling.long : scaling.short, read));
    case "llama3":
      return llama3(base, scaling);
    case "yarn":
      return yarn(powers, { theta, rotaryDim }, scaling);
  }
}

/** What cosines and sines are multiplied with. */
export function attentionFactor({ scaling }: Rope): number {
  return scaling && "attentionFactor" in scaling ? scaling.attentionFactor : 1;
}

async function factors(of: RopeFactors, read: ReadTensor): Promise<ArrayLike<number>> {
  return "tensor" in of ? read(of.tensor) : of;
}

function divided(powers: Float64Array, by: ArrayLike<number>): Float32Array {
  return Float32Array.from(powers, (power, i) => 1 / (by[i] * power));
}

function llama3(base: Float32Array, scaling: Extract<RopeScaling, { type: "llama3" }>): Float32Array {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = scaling;
  const longest = originalMaxPositions / lowFreqFactor;
  const shortest = originalMaxPositions / highFreqFactor;
  return base.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < shortest) return frequency;
    if (wavelength > longest) return frequency / factor;
    const smooth = (originalMaxPositions / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
    return ((1 - smooth) * frequency) / factor + smooth * frequency;
  });
}

/**
 * High frequencies stay, low ones are divided, and a ramp leads from the ones to the others. Source: Peng et al., YaRN:
 * Efficient Context Window Extension of Large Language Models (2023).
 */
function yarn(
  powers: Float64Array,
  { theta, rotaryDim }: { theta: number; rotaryDim: number },
  scaling: Extract<RopeScaling, { type: "yarn" }>,
): Float32Array {
  const { factor, betaFast, betaSlow, originalMaxPositions, truncate } = scaling;
  // The pair that turns so many times within the original length.
  const pairOf = (turns: number) =>
    (rotaryDim * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = (value: number, round: (value: number) => number) => (truncate ? round(value) : value);
  const low = Math.max(whole(pairOf(betaFast), Math.floor), 0);
  let high = Math.min(whole(pairOf(betaSlow), Math.ceil), rotaryDim - 1);
  if (low === high) high += 0.001;
  return Float32Array.from(powers, (power, i) => {
    const ramp = Math.min(Math.max((i - low) / (high - low), 0), 1);
    return ramp / (factor * power) + (1 - ramp) / power;
  });
}

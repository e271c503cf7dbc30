/** What decides how a prompt is computed. */
export interface PrefillFacts {
  parameters: number;
  /** Dot products of bytes in hardware: VNNI, AMX, ARM's dotprod. */
  fastInt8: boolean;
  /** Keys and values are held in int8. */
  int8Cache?: boolean;
}

/** Turning the matrices into floats costs as much as this many tokens. */
const WORTH_FROM = 96;
/** Small models change their mind over the rounding of activations; their prompts are computed in float32. */
const SMALL = 400_000_000;
/** Up to this length the exact way costs a small model a fraction of a second at most. */
const SHORT = 128;
/** The largest matrix stands in memory as floats for a moment: half a gigabyte in a model of 8B. */
const LARGE = 3_000_000_000;

const dotProductSets = new Set([
  "avx512_vnni",
  "avx_vnni",
  "avx_vnni_int8",
  "amx_int8",
  "dotprod",
  "asimddp",
  "i8mm",
]);

/** Whether the largest matrix of a model of this size may stand in memory as floats. */
export function floatsFit(parameters: number): boolean {
  return parameters < LARGE;
}

export function hasFastInt8(instructionSets: readonly string[]): boolean {
  return instructionSets.some((name) => dotProductSets.has(name));
}

/**
 * Whether a run of this many tokens goes through the graph that multiplies in float32. Measured on SmolLM2-135M with
 * AVX2 alone: 361 tokens take 1.4 times as long through int8 kernels. With VNNI those are the faster ones. The other graph
 * reads a cache of int8 as bytes, which takes three to five times as long at prompts.
 */
export function prefersFloats(tokens: number, { parameters, fastInt8, int8Cache }: PrefillFacts): boolean {
  if (tokens < 2) return false;
  if (int8Cache && floatsFit(parameters)) return true;
  if (parameters < SMALL && (tokens <= SHORT || !fastInt8)) return true;
  return !fastInt8 && tokens >= WORTH_FROM && floatsFit(parameters);
}

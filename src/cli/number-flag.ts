import * as Flags from "@oclif/core/flags";
import type { AlphabetLowercase } from "@oclif/core/interfaces";
import { HfmsError } from "../core/index.js";

/** The values that a number may have. Bounds belong to the range, but for `above`. */
export interface NumberRange {
  min?: number;
  above?: number;
  max?: number;
  integer?: boolean;
}

/** A flag with a number; anything that isn't one in the range is an invalid_request that names the flag and the value. */
export function numberFlag(
  options: NumberRange & {
    summary: string;
    char?: AlphabetLowercase;
    helpGroup?: string;
    helpValue?: string;
  },
) {
  const { min, above, max, integer, ...flag } = options;
  const range = { min, above, max, integer };
  return Flags.custom<number>({
    helpValue: "<number>",
    ...flag,
    parse: async (typed, _context, { name }) => parseNumber(typed, range, name),
  })();
}

/** `shown` is what a message calls it. Throws invalid_request. */
export function parseNumber(typed: string, range: NumberRange, name: string, shown = `--${name}`): number {
  const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(typed.trim()) ? Number(typed) : Number.NaN;
  const { min, above, max, integer } = range;
  const fits =
    Number.isFinite(value) &&
    (!integer || Number.isSafeInteger(value)) &&
    (min === undefined || value >= min) &&
    (above === undefined || value > above) &&
    (max === undefined || value <= max);
  if (fits) return value;
  throw new HfmsError("invalid_request", `${shown} can't be "${typed}"`, {
    hint: `it is ${describe(range)}`,
    param: name,
  });
}

function describe({ min, above, max, integer }: NumberRange): string {
  const kind = integer ? "a whole number" : "a number";
  const low = min !== undefined ? `from ${min}` : above !== undefined ? `above ${above}` : undefined;
  if (low === undefined && max === undefined) return kind;
  if (max === undefined) return min !== undefined ? `${kind}, ${min} or more` : `${kind} ${low}`;
  if (above !== undefined) return `${kind} ${low} and not above ${max}`;
  return low === undefined ? `${kind}, ${max} or less` : `${kind} ${low} to ${max}`;
}

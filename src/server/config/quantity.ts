/** Timers of Node take no more: 24.8 days. */
export const LONGEST_DURATION = 2 ** 31 - 1;

const durationUnits = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const sizeUnits = { GiB: 2 ** 30, GB: 1e9, MiB: 2 ** 20, MB: 1e6, KiB: 2 ** 10, kB: 1000, B: 1 };

/**
 * Milliseconds of "250ms", "30s", "5m", "2h" or "1d"; -1 for "forever" and "-1". A bare number other than 0 and -1 is
 * refused, since half of the world reads it as seconds. Undefined for anything else.
 */
export function parseDuration(text: string): number | undefined {
  const typed = text.trim().toLowerCase();
  if (typed === "0") return 0;
  if (typed === "forever" || typed === "-1") return -1;
  return quantity(typed, /^(\d+(?:\.\d+)?) *(ms|s|m|h|d)$/, durationUnits);
}

/** What `parseDuration` reads as the same number. */
export function formatDuration(ms: number): string {
  return ms < 0 ? "forever" : ms === 0 ? "0" : inLargestUnit(ms, durationUnits);
}

/** Bytes of "10MB" (ten millions), "10MiB" (10 × 2²⁰) or "10485760". Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const typed = text.trim().toLowerCase();
  if (/^\d+$/.test(typed)) return quantity(`${typed}b`, /^(\d+)(b)$/, { b: 1 });
  const units = Object.fromEntries(
    Object.entries(sizeUnits).map(([unit, size]) => [unit.toLowerCase(), size]),
  );
  return quantity(typed, /^(\d+(?:\.\d+)?) *([kmg]?i?b)$/, units);
}

/** What `parseSize` reads as the same number. */
export function formatSize(bytes: number): string {
  return bytes === 0 ? "0" : inLargestUnit(bytes, sizeUnits);
}

function quantity(typed: string, pattern: RegExp, units: Record<string, number>): number | undefined {
  const [, number, unit] = pattern.exec(typed) ?? [];
  const size = number === undefined ? undefined : units[unit];
  if (size === undefined) return undefined;
  const value = Math.round(Number(number) * size);
  // "0.4ms" must not become the 0 that means "no limit".
  if (value === 0 && Number(number) > 0) return undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** In the largest unit of which it is a whole number. */
function inLargestUnit(value: number, units: Record<string, number>): string {
  const [unit, size] = Object.entries(units).find(([, size]) => value % size === 0) ?? ["", 1];
  return `${value / size}${unit}`;
}

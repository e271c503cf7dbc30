/** Crashes of one host since it last did what it was asked. Times are in milliseconds. */
export interface CrashRecord {
  count: number;
  lastAt: number;
}

/** The pause behind the first crash; each one behind it doubles the pause. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
/** After so many crashes in a row requests are refused, for a while that doubles with each further one. */
export const CRASH_LIMIT = 3;
const FIRST_REFUSAL_MS = 30_000;
const LONGEST_REFUSAL_MS = 600_000;

export type RestartDecision =
  | { kind: "start"; at: number }
  /** The breaker is open; from `until` on one more start is tried. */
  | { kind: "refuse"; until: number };

/** When a host that has crashed like this may start again. */
export function restartAfter({ count, lastAt }: CrashRecord, now: number): RestartDecision {
  if (count === 0) return { kind: "start", at: now };
  if (count < CRASH_LIMIT) {
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (count - 1));
    return { kind: "start", at: Math.max(now, lastAt + pause) };
  }
  const refusal = Math.min(LONGEST_REFUSAL_MS, FIRST_REFUSAL_MS * 2 ** (count - CRASH_LIMIT));
  const until = lastAt + refusal;
  return now < until ? { kind: "refuse", until } : { kind: "start", at: now };
}

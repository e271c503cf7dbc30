import { distance } from "fastest-levenshtein";

/** The candidate that somebody most likely meant, or undefined when none is close. */
export function nearest(typed: string, candidates: readonly string[]): string | undefined {
  const wanted = typed.toLowerCase();
  let best: string | undefined;
  // A third of the letters may be wrong: `temprature`, `emebd`, but not `x` for `-h`.
  let bestDistance = Math.ceil(wanted.length / 3) + 1;
  for (const candidate of candidates) {
    const steps = candidate.startsWith(wanted) && wanted.length > 2 ? 0.5 : distance(wanted, candidate);
    if (steps < bestDistance) {
      bestDistance = steps;
      best = candidate;
    }
  }
  return best;
}

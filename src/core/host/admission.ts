/** What a host means to the budget. */
export interface Tenant {
  /** Bytes that it takes, or will take. */
  memory: number;
  /** Requests use it. */
  busy: boolean;
  pinned: boolean;
  /** It is on its way out already. */
  leaving: boolean;
  lastUsed: number;
}

export type Admission<T> =
  /** There is room once `victims` are gone (often none). */
  | { kind: "admit"; victims: T[] }
  /** There will be room when models that are in use now, or leaving, are not. */
  | { kind: "wait" }
  /** There never will be: too large for the budget, or for what pinned models leave of it. */
  | { kind: "refuse"; why: "budget" | "pinned" };

/**
 * Whether a model that needs `need` bytes may be loaded beside these hosts. Victims are idle, neither busy nor pinned:
 * those that were used longest ago, and no more of them than it takes.
 */
export function admit<T extends Tenant>(need: number, tenants: readonly T[], budget: number): Admission<T> {
  const sum = (some: readonly Tenant[]) => some.reduce((bytes, { memory }) => bytes + memory, 0);
  if (need > budget) return { kind: "refuse", why: "budget" };
  if (need + sum(tenants.filter(({ pinned, leaving }) => pinned && !leaving)) > budget)
    return { kind: "refuse", why: "pinned" };

  let excess = need + sum(tenants) - budget;
  const idle = tenants
    .filter(({ busy, pinned, leaving, memory }) => !busy && !pinned && !leaving && memory > 0)
    .sort((a, b) => a.lastUsed - b.lastUsed);
  const victims: T[] = [];
  for (const tenant of idle) {
    if (excess <= 0) break;
    victims.push(tenant);
    excess -= tenant.memory;
  }
  if (excess > 0) return { kind: "wait" };
  // A large one at the end may have made small ones before it superfluous: the newest of those stay.
  for (const victim of victims.toReversed()) {
    if (excess + victim.memory > 0) continue;
    victims.splice(victims.indexOf(victim), 1);
    excess += victim.memory;
  }
  return { kind: "admit", victims };
}

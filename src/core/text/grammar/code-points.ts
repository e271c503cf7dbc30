/** Sets of integers as sorted, disjoint, closed ranges: of code points, or of bytes. */
export type Ranges = readonly (readonly [low: number, high: number])[];

/** Every character that UTF-8 can write: all code points but the surrogates. */
export const anyCharacter: Ranges = [
  [0, 0xd7ff],
  [0xe000, 0x10ffff],
];

export function union(...sets: Ranges[]): Ranges {
  const sorted = sets.flat().sort((a, b) => a[0] - b[0]);
  const result: [number, number][] = [];
  for (const [low, high] of sorted) {
    const last = result.at(-1);
    if (last && low <= last[1] + 1) last[1] = Math.max(last[1], high);
    else result.push([low, high]);
  }
  return result;
}

export function intersect(a: Ranges, b: Ranges): Ranges {
  const result: [number, number][] = [];
  for (const [low, high] of a) {
    for (const [from, to] of b) {
      if (from <= high && to >= low) result.push([Math.max(low, from), Math.min(high, to)]);
    }
  }
  return result;
}

/** The characters that are not in the set. */
export function negate(set: Ranges): Ranges {
  const gaps: [number, number][] = [];
  let next = 0;
  for (const [low, high] of union(set)) {
    if (low > next) gaps.push([next, low - 1]);
    next = high + 1;
  }
  if (next <= 0x10ffff) gaps.push([next, 0x10ffff]);
  return intersect(gaps, anyCharacter);
}

export function characters(text: string): Ranges {
  return union([...text].map((character) => [character.codePointAt(0)!, character.codePointAt(0)!] as const));
}

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

/** The longest code point of each length in bytes. */
const lengthEnds = [0x7f, 0x7ff, 0xffff, 0x10ffff];

/**
 * The UTF-8 spellings of a range of code points, as sequences of byte ranges. A range is cut until all its members
 * have the same length and every byte but the first varies over all values or stays the same.
 */
export function utf8Sequences(low: number, high: number): Ranges[] {
  for (const end of lengthEnds) {
    if (low <= end && high > end) return [...utf8Sequences(low, end), ...utf8Sequences(end + 1, high)];
  }
  for (const bits of [6, 12, 18]) {
    const mask = (1 << bits) - 1;
    if (high <= 0x7f || (low & ~mask) === (high & ~mask)) continue;
    if ((low & mask) !== 0) {
      return [...utf8Sequences(low, low | mask), ...utf8Sequences((low | mask) + 1, high)];
    }
    if ((high & mask) !== mask) {
      return [...utf8Sequences(low, (high & ~mask) - 1), ...utf8Sequences(high & ~mask, high)];
    }
  }
  const [first, last] = [low, high].map((code) => Buffer.from(String.fromCodePoint(code), "utf8"));
  return [Array.from(first, (byte, index) => [byte, last[index]] as const)];
}

import type { Nfa } from "./automaton.js";

/** A range of code points and the state that it leads to. */
export type CharacterEdge = readonly [low: number, high: number, to: number];

/** Lead byte, first and last code point, and bits behind the lead byte of sequences of two, three and four bytes. */
const forms = [
  { lead: 0xc0, first: 0x80, last: 0x7ff, bits: 6 },
  { lead: 0xe0, first: 0x800, last: 0xffff, bits: 12 },
  { lead: 0xf0, first: 0x10000, last: 0x10ffff, bits: 18 },
];

/** States in the middle of characters, by what can follow; of each automaton that is being written. */
const middles = new WeakMap<Nfa, Map<string, number>>();

/**
 * Writes edges over characters as edges over their UTF-8 bytes. Edges that share lead bytes share states, and equal
 * rests of characters are the same state: the thousands of ranges of a Unicode property stay few states.
 */
export function writeUtf8(nfa: Nfa, from: number, edges: readonly CharacterEdge[]): void {
  for (const [low, high, to] of clip(edges, 0, 0x7f)) nfa.edge(from, low, high, to);
  for (const { lead, first, last, bits } of forms) {
    writeBytes(nfa, from, clip(edges, first, last), bits, lead);
  }
}

/** One byte: `lead` and the bits above `bits`; the rest of each code point is written behind it. */
function writeBytes(
  nfa: Nfa,
  from: number,
  edges: readonly CharacterEdge[],
  bits: number,
  lead: number,
): void {
  if (bits === 0) {
    for (const [low, high, to] of edges) nfa.edge(from, lead + low, lead + high, to);
    return;
  }
  const size = 1 << bits;
  const partial = new Map<number, CharacterEdge[]>();
  for (const [low, high, to] of edges) {
    let start = Math.ceil(low / size);
    const end = Math.floor((high + 1) / size) - 1;
    const add = (block: number, part: CharacterEdge) =>
      partial.set(block, [...(partial.get(block) ?? []), part]);
    if (end < start - 1) {
      start = end + 1;
      add(start, [low % size, high % size, to]);
      continue;
    }
    if (start * size > low) add(start - 1, [low % size, size - 1, to]);
    if ((end + 1) * size <= high) add(end + 1, [0, high % size, to]);
    if (start <= end) nfa.edge(from, lead + start, lead + end, middle(nfa, [[0, size - 1, to]], bits));
  }
  for (const [block, parts] of partial) nfa.edge(from, lead + block, lead + block, middle(nfa, parts, bits));
}

function middle(nfa: Nfa, edges: readonly CharacterEdge[], bits: number): number {
  let known = middles.get(nfa);
  if (!known) middles.set(nfa, (known = new Map()));
  const key = `${bits}:${edges.join(";")}`;
  let state = known.get(key);
  if (state === undefined) {
    state = nfa.state();
    known.set(key, state);
    writeBytes(nfa, state, edges, bits - 6, 0x80);
  }
  return state;
}

function clip(edges: readonly CharacterEdge[], first: number, last: number): CharacterEdge[] {
  return edges
    .filter(([low, high]) => high >= first && low <= last)
    .map(([low, high, to]) => [Math.max(low, first), Math.min(high, last), to]);
}

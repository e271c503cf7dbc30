import { HfmsError } from "../../errors.js";
import { anyCharacter } from "./code-points.js";
import type { Expression } from "./expression.js";

/**
 * A deterministic automaton over integers (code points or bytes). State 0 is the start; every state leads to an
 * accepting one, unless the automaton is empty.
 */
export interface Automaton {
  accepting: readonly boolean[];
  /** Of each state, sorted: low, high, target, low, high, target … */
  edges: readonly (readonly number[])[];
}

/** More would take seconds to build, and its tables tens of megabytes. */
const MAX_STATES = 20_000;

/** An automaton that may be in several states at once; what expressions are written into first. */
export class Nfa {
  readonly edges: number[][] = [];
  readonly free: number[][] = [];
  /** Free edges that hold only at the beginning or the end of the text. */
  readonly atStart = new Map<number, number[]>();
  readonly atEnd = new Map<number, number[]>();

  state(): number {
    this.edges.push([]);
    this.free.push([]);
    return this.edges.length - 1;
  }

  edge(from: number, low: number, high: number, to: number): void {
    this.edges[from].push(low, high, to);
  }

  join(from: number, to: number): void {
    this.free[from].push(to);
  }

  border(from: number, at: "start" | "end", to: number): void {
    const map = at === "start" ? this.atStart : this.atEnd;
    map.set(from, [...(map.get(from) ?? []), to]);
  }
}

/** Writes one leaf of an expression between two states: characters as code points, or as bytes. */
export type LeafWriter = (nfa: Nfa, leaf: Expression, from: number, to: number) => void;

/** Adds an expression (without rules that call themselves) between two states. */
export function write(nfa: Nfa, expression: Expression, from: number, to: number, leaf: LeafWriter): void {
  switch (expression.kind) {
    case "sequence": {
      let at = from;
      expression.parts.forEach((part, index) => {
        const next = index === expression.parts.length - 1 ? to : nfa.state();
        write(nfa, part, at, next, leaf);
        at = next;
      });
      return;
    }
    case "choice":
      for (const option of expression.options) write(nfa, option, from, to, leaf);
      return;
    case "repeat": {
      let at = from;
      const copy = () => {
        const next = nfa.state();
        write(nfa, expression.part, at, next, leaf);
        at = next;
        limit(nfa.edges.length);
      };
      for (let count = 0; count < expression.min; count++) copy();
      if (expression.max === Number.POSITIVE_INFINITY) {
        const loop = nfa.state();
        nfa.join(at, loop);
        at = loop;
        copy();
        nfa.join(at, loop);
        nfa.join(loop, to);
        return;
      }
      for (let count = expression.min; count < expression.max; count++) {
        nfa.join(at, to);
        const begin = nfa.state();
        nfa.join(at, begin);
        at = begin;
        copy();
      }
      nfa.join(at, to);
      return;
    }
    case "rule":
      write(nfa, expression.rule.expression, from, to, leaf);
      return;
    case "border":
      nfa.border(from, expression.at, to);
      return;
    default:
      leaf(nfa, expression, from, to);
  }
}

/** The automaton of an expression over code points. */
export function automatonOf(expression: Expression): Automaton {
  const nfa = new Nfa();
  const [start, end] = [nfa.state(), nfa.state()];
  write(nfa, expression, start, end, writeCodePoints);
  return determinize(nfa, start, end);
}

const writeCodePoints: LeafWriter = (nfa, leaf, from, to) => {
  if (leaf.kind === "characters") {
    for (const [low, high] of leaf.ranges) nfa.edge(from, low, high, to);
  } else if (leaf.kind === "text") {
    let at = from;
    for (const character of leaf.text) {
      const next = nfa.state();
      nfa.edge(at, character.codePointAt(0)!, character.codePointAt(0)!, next);
      at = next;
    }
    nfa.join(at, to);
  } else if (leaf.kind === "automaton") {
    copyAutomaton(nfa, leaf.automaton, from, to, (state, edges) => {
      for (const edge of edges) nfa.edge(state, ...edge);
    });
  }
};

/** Adds an automaton between two states; `spell` writes the edges of a state: low, high, target. */
export function copyAutomaton(
  nfa: Nfa,
  automaton: Automaton,
  from: number,
  to: number,
  spell: (from: number, edges: [number, number, number][]) => void,
): void {
  const states = automaton.edges.map(() => nfa.state());
  nfa.join(from, states[0]);
  automaton.edges.forEach((edges, state) => {
    if (automaton.accepting[state]) nfa.join(states[state], to);
    const triples: [number, number, number][] = [];
    for (let i = 0; i < edges.length; i += 3) triples.push([edges[i], edges[i + 1], states[edges[i + 2]]]);
    spell(states[state], triples);
  });
}

/** The subset construction. */
export function determinize(nfa: Nfa, start: number, end: number): Automaton {
  const ids = new Map<string, number>();
  const subsets: number[][] = [];
  const accepting: boolean[] = [];
  const edges: number[][] = [];
  const add = (states: Set<number>): number => {
    const sorted = [...states].sort((a, b) => a - b);
    const key = sorted.join();
    const known = ids.get(key);
    if (known !== undefined) return known;
    limit(subsets.length);
    ids.set(key, subsets.length);
    accepting.push(states.has(end) || closure(nfa, sorted, nfa.atEnd).has(end));
    return subsets.push(sorted) - 1;
  };
  add(closure(nfa, [start], nfa.atStart));
  // The text may be empty: then both of its borders are at the start.
  if (nfa.atStart.size > 0 && nfa.atEnd.size > 0) accepting[0] ||= bothBorders(nfa, start).has(end);
  for (let state = 0; state < subsets.length; state++) {
    const leaving = subsets[state].flatMap((member) => nfa.edges[member]);
    edges.push(split(leaving, (targets) => add(closure(nfa, targets))));
  }
  return trim({ accepting, edges });
}

/** Disjoint ranges out of overlapping ones; `target` names the state of each set of targets. */
function split(edges: readonly number[], target: (targets: number[]) => number): number[] {
  const borders = new Set<number>();
  for (let i = 0; i < edges.length; i += 3) borders.add(edges[i]).add(edges[i + 1] + 1);
  const points = [...borders].sort((a, b) => a - b);
  const members: number[][] = points.map(() => []);
  const index = new Map(points.map((point, at) => [point, at]));
  for (let i = 0; i < edges.length; i += 3) {
    for (let at = index.get(edges[i])!; points[at] <= edges[i + 1]; at++) members[at].push(edges[i + 2]);
  }
  const result: number[] = [];
  for (let at = 0; at + 1 < points.length; at++) {
    if (members[at].length > 0) append(result, points[at], points[at + 1] - 1, target(members[at]));
  }
  return result;
}

function append(edges: number[], low: number, high: number, to: number): void {
  const last = edges.length - 3;
  if (last >= 0 && edges[last + 2] === to && edges[last + 1] + 1 === low) edges[last + 1] = high;
  else edges.push(low, high, to);
}

function closure(nfa: Nfa, states: Iterable<number>, border?: Map<number, number[]>): Set<number> {
  const found = new Set(states);
  for (const state of found) {
    for (const next of nfa.free[state]) found.add(next);
    for (const next of border?.get(state) ?? []) found.add(next);
  }
  return found;
}

function bothBorders(nfa: Nfa, start: number): Set<number> {
  const both = new Map(nfa.atStart);
  for (const [state, targets] of nfa.atEnd) both.set(state, [...(both.get(state) ?? []), ...targets]);
  return closure(nfa, [start], both);
}

/** Without states from which no text ends. */
export function trim({ accepting, edges }: Automaton): Automaton {
  const sources: number[][] = edges.map(() => []);
  edges.forEach((list, from) => {
    for (let i = 2; i < list.length; i += 3) sources[list[i]].push(from);
  });
  const live = new Set(accepting.flatMap((yes, state) => (yes ? [state] : [])));
  for (const state of live) for (const source of sources[state]) live.add(source);
  if (!live.has(0)) return { accepting: [false], edges: [[]] };
  const numbers = new Map([...live].sort((a, b) => a - b).map((state, index) => [state, index]));
  const kept = [...numbers.keys()];
  return {
    accepting: kept.map((state) => accepting[state]),
    edges: kept.map((state) => {
      const list: number[] = [];
      for (let i = 0; i < edges[state].length; i += 3) {
        const to = numbers.get(edges[state][i + 2]);
        if (to !== undefined) append(list, edges[state][i], edges[state][i + 1], to);
      }
      return list;
    }),
  };
}

/** The texts of both. */
export function intersection(a: Automaton, b: Automaton): Automaton {
  return product(a, b, false);
}

/** The texts of `a` that `b` does not have. */
export function difference(a: Automaton, b: Automaton): Automaton {
  return product(a, b, true);
}

export function isEmpty(automaton: Automaton): boolean {
  return !automaton.accepting.includes(true);
}

export function accepts(automaton: Automaton, text: string): boolean {
  let state = 0;
  for (const character of text) {
    const next = target(automaton.edges[state], character.codePointAt(0)!);
    if (next === undefined) return false;
    state = next;
  }
  return automaton.accepting[state];
}

/** All texts. */
export const anyText: Automaton = {
  accepting: [true],
  edges: [anyCharacter.flatMap(([low, high]) => [low, high, 0])],
};

/** The state in which an automaton is that can accept nothing more. */
const LOST = -1;

function product(a: Automaton, b: Automaton, without: boolean): Automaton {
  const ids = new Map<number, number>();
  const pairs: [number, number][] = [];
  const add = (x: number, y: number): number => {
    const key = x * (MAX_STATES * 2) + y + 1;
    let id = ids.get(key);
    if (id === undefined) {
      limit(pairs.length);
      id = pairs.push([x, y]) - 1;
      ids.set(key, id);
    }
    return id;
  };
  add(0, 0);
  const accepting: boolean[] = [];
  const edges: number[][] = [];
  for (let at = 0; at < pairs.length; at++) {
    const [x, y] = pairs[at];
    const inB = y !== LOST && b.accepting[y];
    accepting.push(a.accepting[x] && inB !== without);
    const other = y === LOST ? [] : b.edges[y];
    const list: number[] = [];
    for (let i = 0; i < a.edges[x].length; i += 3) {
      let low = a.edges[x][i];
      const [high, to] = [a.edges[x][i + 1], a.edges[x][i + 2]];
      for (let j = 0; j < other.length && low <= high; j += 3) {
        if (other[j + 1] < low || other[j] > high) continue;
        if (without && other[j] > low) append(list, low, other[j] - 1, add(to, LOST));
        const end = Math.min(high, other[j + 1]);
        append(list, Math.max(low, other[j]), end, add(to, other[j + 2]));
        low = end + 1;
      }
      if (without && low <= high) append(list, low, high, add(to, LOST));
    }
    edges.push(list);
  }
  return trim({ accepting, edges });
}

function target(edges: readonly number[], symbol: number): number | undefined {
  for (let i = 0; i < edges.length; i += 3) {
    if (symbol >= edges[i] && symbol <= edges[i + 1]) return edges[i + 2];
  }
  return undefined;
}

function limit(states: number): void {
  if (states < MAX_STATES) return;
  throw new HfmsError("invalid_request", `a part of the format needs more than ${MAX_STATES} states`, {
    hint: "use smaller counts in patterns and fewer choices",
    param: "format",
  });
}

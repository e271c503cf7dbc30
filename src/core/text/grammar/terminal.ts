import { type Automaton, copyAutomaton, determinize, type LeafWriter, Nfa, write } from "./automaton.js";
import type { Expression } from "./expression.js";
import { type CharacterEdge, writeUtf8 } from "./utf8.js";

/** A regular part of a format as tables: its texts byte by byte. State 0 is the start. */
export interface Terminal {
  /** Bytes that every state treats alike share a class. */
  classes: Uint8Array;
  stride: number;
  /** Next state at [state × stride + class], -1 where the byte doesn't fit. */
  next: Int32Array;
  accepting: Uint8Array;
  /** States that can go on. */
  open: Uint8Array;
}

export function terminalOf(expression: Expression): Terminal {
  const nfa = new Nfa();
  const [start, end] = [nfa.state(), nfa.state()];
  write(nfa, expression, start, end, writeBytes);
  return tabulate(determinize(nfa, start, end));
}

/** True when no text of it is the beginning of another one: where one ends, nothing else can follow. */
export function isPrefixFree({ accepting, open }: Terminal): boolean {
  return accepting.every((yes, state) => !(yes && open[state]));
}

function tabulate({ accepting, edges }: Automaton): Terminal {
  const borders = new Set([0]);
  for (const list of edges) {
    for (let i = 0; i < list.length; i += 3) borders.add(list[i]).add(list[i + 1] + 1);
  }
  const classes = new Uint8Array(256);
  for (let byte = 1; byte < 256; byte++) classes[byte] = classes[byte - 1] + (borders.has(byte) ? 1 : 0);
  const stride = classes[255] + 1;
  const next = new Int32Array(edges.length * stride).fill(-1);
  edges.forEach((list, state) => {
    for (let i = 0; i < list.length; i += 3) {
      next.fill(list[i + 2], state * stride + classes[list[i]], state * stride + classes[list[i + 1]] + 1);
    }
  });
  return {
    classes,
    stride,
    next,
    accepting: Uint8Array.from(accepting, Number),
    open: Uint8Array.from(edges, (list) => (list.length > 0 ? 1 : 0)),
  };
}

const writeBytes: LeafWriter = (nfa, leaf, from, to) => {
  if (leaf.kind === "text") {
    writePath(nfa, from, Buffer.from(leaf.text, "utf8"), to);
  } else if (leaf.kind === "characters") {
    writeUtf8(
      nfa,
      from,
      leaf.ranges.map(([low, high]) => [low, high, to]),
    );
  } else if (leaf.kind === "automaton") {
    const spell = leaf.spelling === "json" ? writeJson : writeUtf8;
    copyAutomaton(nfa, leaf.automaton, from, to, (state, edges) => spell(nfa, state, edges));
  }
};

function writePath(nfa: Nfa, from: number, bytes: Uint8Array, to: number): void {
  let at = from;
  for (const byte of bytes) {
    const next = nfa.state();
    nfa.edge(at, byte, byte, next);
    at = next;
  }
  nfa.join(at, to);
}

/** What a JSON string must escape. */
const escaped = [...Array(0x20).keys(), 0x22, 0x5c];

/** Characters inside a JSON string, spelled as JSON.stringify does: escaped only where they must be. */
function writeJson(nfa: Nfa, from: number, edges: readonly CharacterEdge[]): void {
  const plain: CharacterEdge[] = [];
  for (const [low, high, to] of edges) {
    let start = low;
    for (const code of escaped) {
      if (code < low || code > high) continue;
      const spelled = JSON.stringify(String.fromCharCode(code)).slice(1, -1);
      writePath(nfa, from, Buffer.from(spelled, "latin1"), to);
      if (code > start) plain.push([start, code - 1, to]);
      start = code + 1;
    }
    if (start <= high) plain.push([start, high, to]);
  }
  writeUtf8(nfa, from, plain);
}

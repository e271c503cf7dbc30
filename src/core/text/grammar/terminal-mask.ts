import type { Terminal } from "./terminal.js";
import type { TokenTrie } from "./token-trie.js";

/** Where a reading begins in a terminal, and what it leaves to come. */
export interface Entry {
  terminal: Terminal;
  state: number;
  /** Of a terminal that is read several times: how often still at least, and at most. */
  repeat?: { needed: number; allowed: number };
}

/** What a terminal says about tokens, whatever follows it. */
export interface TerminalMask {
  /** Tokens that lie in the terminal as a whole: a bit each, or a list where they are few. */
  bits?: Int32Array;
  tokens?: Int32Array;
  exits: Exits;
  /** Memory that it takes. */
  bytes: number;
}

/** Nodes of the trie at which the terminal may have ended: a list where they are few, or a test. */
export type Exits = Int32Array | ((node: number) => boolean);

/** Lists up to this length are quicker than tests. */
const MAX_LISTED = 512;

/** Sets the tokens below a node that lie in the terminal; returns the nodes where it may end. */
export function walkTerminal(trie: TokenTrie, entry: Entry, root: number, mask: Int32Array): Int32Array {
  const needed = entry.repeat?.needed ?? 0;
  const allowed = entry.repeat?.allowed ?? 0;
  const exits: number[] = [];
  walk(trie, entry, root, allowed, {
    token: (token) => set(mask, token),
    exit: (node, count) => {
      if (count >= needed) exits.push(node);
    },
  });
  return Int32Array.from(exits);
}

/** What a terminal says about all tokens. `words` is the length of a mask. */
export function terminalMask(trie: TokenTrie, { terminal, state }: Entry, words: number): TerminalMask {
  const bits = new Int32Array(words);
  const exits = walkTerminal(trie, { terminal, state }, 0, bits);
  const tokens = fewTokens(bits);
  const size = (tokens ?? bits).byteLength;
  if (exits.length <= MAX_LISTED)
    return { ...(tokens ? { tokens } : { bits }), exits, bytes: size + exits.byteLength };
  const ends = new Int32Array(Math.ceil(trie.byte.length / 32));
  for (const node of exits) set(ends, node);
  const isExit = (node: number) => ((ends[node >> 5] >> (node & 31)) & 1) === 1;
  return { ...(tokens ? { tokens } : { bits }), exits: isExit, bytes: size + ends.byteLength };
}

/**
 * What a terminal that is read several times says about all tokens, for any number of times: one walk finds how often
 * each token and each node have read it.
 */
export class RepeatedTerminal {
  readonly bytes: number;
  readonly #bits: Int32Array;
  /** Tokens by how often they begin the terminal, the most often first; and where those with n begin. */
  readonly #tokens: Int32Array;
  readonly #rounds: Uint16Array;
  /** By node, one more than the rounds that end there; 0 where none does. */
  readonly #ends: Uint16Array;

  constructor(trie: TokenTrie, terminal: Terminal, state: number, words: number) {
    this.#bits = new Int32Array(words);
    this.#ends = new Uint16Array(trie.byte.length);
    const rounds = new Uint16Array(words * 32);
    const perRound = new Int32Array(trie.height + 3);
    const visit: Visitor = {
      token: (token, count) => {
        set(this.#bits, token);
        rounds[token] = count;
        perRound[count]++;
      },
      exit: (node, count) => {
        this.#ends[node] = count + 1;
      },
    };
    const endless = Number.POSITIVE_INFINITY;
    walk(trie, { terminal, state, repeat: { needed: 0, allowed: endless } }, 0, endless, visit);
    // Counted, then put in place from the end: the most rounds first.
    for (let count = perRound.length - 2; count >= 0; count--) perRound[count] += perRound[count + 1];
    this.#tokens = new Int32Array(perRound[0]);
    rounds.forEach((count, token) => {
      if (count > 0) this.#tokens[--perRound[count]] = token;
    });
    this.#rounds = Uint16Array.from(this.#tokens, (token) => rounds[token]);
    this.bytes =
      this.#bits.byteLength + this.#tokens.byteLength + this.#rounds.byteLength + this.#ends.byteLength;
  }

  mask({ needed, allowed }: { needed: number; allowed: number }): TerminalMask {
    const bits = this.#bits.slice();
    for (let at = 0; at < this.#tokens.length && this.#rounds[at] > allowed; at++) {
      const token = this.#tokens[at];
      bits[token >> 5] &= ~(1 << (token & 31));
    }
    const ends = this.#ends;
    return {
      bits,
      exits: (node) => ends[node] > needed && ends[node] <= allowed + 1,
      bytes: bits.byteLength,
    };
  }
}

interface Visitor {
  /** A token in the terminal, and how often it has begun it. */
  token(token: number, rounds: number): void;
  /** A node with descendants at which the terminal may end, and how often it has ended. */
  exit(node: number, count: number): void;
}

function walk(trie: TokenTrie, entry: Entry, root: number, allowed: number, visit: Visitor): void {
  const { classes, stride, next, accepting } = entry.terminal;
  const counting = entry.repeat !== undefined;
  const { byte, depth, end, first, tokens, height } = trie;
  const states = new Int32Array(height + 1);
  const counts = new Int32Array(height + 1);
  states[depth[root]] = entry.state;
  for (let node = root + 1; node < end[root]; ) {
    const level = depth[node];
    const before = states[level - 1];
    const state = before < 0 ? -1 : next[before * stride + classes[byte[node]]];
    if (state < 0) {
      node = end[node];
      continue;
    }
    const ended = accepting[state] === 1;
    let count = counts[level - 1];
    states[level] = state;
    if (counting) {
      if (ended) states[level] = ++count < allowed ? 0 : -1;
      counts[level] = count;
    }
    for (let at = first[node]; at < first[node + 1]; at++) visit.token(tokens[at], ended ? count : count + 1);
    if (ended && end[node] > node + 1) visit.exit(node, count);
    node++;
  }
}

export function set(mask: Int32Array, bit: number): void {
  mask[bit >> 5] |= 1 << (bit & 31);
}

/** The set bits as a list, when it is shorter than the mask. */
function fewTokens(bits: Int32Array): Int32Array | undefined {
  const tokens: number[] = [];
  for (let word = 0; word < bits.length; word++) {
    for (let rest = bits[word]; rest !== 0; rest &= rest - 1) {
      tokens.push(word * 32 + 31 - Math.clz32(rest & -rest));
      if (tokens.length >= bits.length) return undefined;
    }
  }
  return Int32Array.from(tokens);
}

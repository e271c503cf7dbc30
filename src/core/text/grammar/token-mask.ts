import { type Configuration, type ConfigurationTable, type Thread, terminalAt } from "./configuration.js";
import type { Terminal } from "./terminal.js";
import type { TokenTrie } from "./token-trie.js";
import type { GrammarVocabulary } from "./vocabulary.js";

/** What a terminal says about all tokens, whatever follows it. */
interface TerminalMask {
  /** Tokens that lie in the terminal as a whole: a bit each, or a list where they are few. */
  bits?: Int32Array;
  tokens?: Int32Array;
  /** Nodes of the trie below which the terminal may have ended. */
  exits: Int32Array;
  bytes: number;
}

/** Bytes of masks that are kept: of a vocabulary's terminals, and of a format's configurations. */
const MAX_KEPT_BYTES = 32_000_000;

/**
 * Finds the tokens that fit. A token may end inside the terminal it begins in; then the answer depends on nothing
 * else and is kept with the terminal. The few that reach beyond are followed through the configurations behind it.
 */
export class TokenMasks {
  readonly #vocabulary: GrammarVocabulary;
  readonly #trie: TokenTrie;
  readonly #words: number;
  readonly #states: Int32Array;
  readonly #counts: Int32Array;
  #byTerminal = new WeakMap<Terminal, Map<string, TerminalMask>>();
  #kept = 0;

  constructor(vocabulary: GrammarVocabulary, trie: TokenTrie) {
    this.#vocabulary = vocabulary;
    this.#trie = trie;
    this.#words = Math.ceil(vocabulary.size / 32);
    this.#states = new Int32Array(this.#trie.height + 1);
    this.#counts = new Int32Array(this.#trie.height + 1);
  }

  /** A new mask of the tokens that can follow, stop tokens included. */
  maskOf(table: ConfigurationTable, configuration: Configuration): Int32Array {
    const mask = new Int32Array(this.#words);
    const seen = new Map<Configuration, Set<number>>();
    this.#add(table, configuration, 0, mask, seen);
    if (configuration.accepting) for (const token of this.#vocabulary.stopTokens) set(mask, token);
    return mask;
  }

  /** Adds the tokens below a node of the trie that a configuration allows. */
  #add(
    table: ConfigurationTable,
    configuration: Configuration,
    node: number,
    mask: Int32Array,
    seen: Map<Configuration, Set<number>>,
  ): void {
    const nodes = seen.get(configuration) ?? new Set();
    if (nodes.has(node)) return;
    seen.set(configuration, nodes.add(node));
    for (const thread of configuration.threads) {
      const exits =
        node === 0 ? this.#addTerminal(table, thread, mask) : this.#walk(table, thread, node, mask);
      if (exits.length > 0) this.#follow(table, table.after(thread), exits, mask, seen);
    }
  }

  /** The tokens that go beyond a terminal. */
  #follow(
    table: ConfigurationTable,
    behind: Configuration,
    exits: ArrayLike<number>,
    mask: Int32Array,
    seen: Map<Configuration, Set<number>>,
  ): void {
    if (behind.threads.length === 0) return;
    const { byte, end, first, tokens } = this.#trie;
    const fits = table.first(behind);
    for (let index = 0; index < exits.length; index++) {
      const exit = exits[index];
      for (let node = exit + 1; node < end[exit]; node = end[node]) {
        if (fits[byte[node]] === 0) continue;
        const next = table.step(behind, byte[node]);
        if (!next) continue;
        for (let at = first[node]; at < first[node + 1]; at++) set(mask, tokens[at]);
        if (end[node] > node + 1) this.#add(table, next, node, mask, seen);
      }
    }
  }

  #addTerminal(table: ConfigurationTable, thread: Thread, mask: Int32Array): Int32Array {
    const kept = this.#terminalMask(table, thread);
    if (kept.bits) for (let word = 0; word < mask.length; word++) mask[word] |= kept.bits[word];
    else for (const token of kept.tokens!) set(mask, token);
    return kept.exits;
  }

  #terminalMask(table: ConfigurationTable, thread: Thread): TerminalMask {
    const terminal = terminalAt(table.instructions, thread.at);
    let masks = this.#byTerminal.get(terminal);
    if (!masks) this.#byTerminal.set(terminal, (masks = new Map()));
    const key = `${thread.state},${this.#room(table, thread).join()}`;
    const known = masks.get(key);
    if (known) return known;
    const bits = new Int32Array(this.#words);
    const exits = Int32Array.from(this.#walk(table, thread, 0, bits));
    const tokens = fewTokens(bits);
    const made: TerminalMask = tokens
      ? { tokens, exits, bytes: tokens.byteLength + exits.byteLength }
      : { bits, exits, bytes: bits.byteLength + exits.byteLength };
    this.#kept += made.bytes;
    if (this.#kept > MAX_KEPT_BYTES) {
      this.#byTerminal = new WeakMap([[terminal, (masks = new Map())]]);
      this.#kept = made.bytes;
    }
    masks.set(key, made);
    return made;
  }

  /**
   * How many items a counting terminal still needs and may have. What is beyond the longest token makes no difference
   * to a mask.
   */
  #room(table: ConfigurationTable, { at, frame }: Thread): [needed: number, allowed: number] {
    const instruction = table.instructions[at];
    if (instruction.op !== "count") return [0, 0];
    const far = this.#trie.height + 1;
    return [
      Math.min(far, Math.max(0, instruction.min - frame.count)),
      Math.min(far, instruction.max - frame.count),
    ];
  }

  /** Sets the tokens below a node that lie in the thread's terminal; the nodes where the terminal may end. */
  #walk(table: ConfigurationTable, thread: Thread, root: number, mask: Int32Array): number[] {
    const { classes, stride, next, accepting } = terminalAt(table.instructions, thread.at);
    const counting = table.instructions[thread.at].op === "count";
    const [needed, allowed] = this.#room(table, thread);
    const { byte, depth, end, first, tokens } = this.#trie;
    const [states, counts, exits] = [this.#states, this.#counts, [] as number[]];
    states[depth[root]] = thread.state;
    counts[depth[root]] = 0;
    for (let node = root + 1; node < end[root]; ) {
      const level = depth[node];
      const before = states[level - 1];
      const state = before < 0 ? -1 : next[before * stride + classes[byte[node]]];
      if (state < 0) {
        node = end[node];
        continue;
      }
      states[level] = state;
      for (let at = first[node]; at < first[node + 1]; at++) set(mask, tokens[at]);
      if (counting) {
        counts[level] = counts[level - 1];
        if (accepting[state]) {
          const count = ++counts[level];
          if (count >= needed && end[node] > node + 1) exits.push(node);
          states[level] = count < allowed ? 0 : -1;
        }
      } else if (accepting[state] && end[node] > node + 1) exits.push(node);
      node++;
    }
    return exits;
  }
}

function set(mask: Int32Array, token: number): void {
  mask[token >> 5] |= 1 << (token & 31);
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

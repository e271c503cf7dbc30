import { setImmediate } from "node:timers/promises";
import { throwIfAborted } from "../../errors.js";
import { type Configuration, type ConfigurationTable, type Thread, terminalAt } from "./configuration.js";
import type { Terminal } from "./terminal.js";
import {
  type Entry,
  type Exits,
  RepeatedTerminal,
  set,
  type TerminalMask,
  terminalMask,
  walkTerminal,
} from "./terminal-mask.js";
import type { TokenTrie } from "./token-trie.js";
import type { GrammarVocabulary } from "./vocabulary.js";

/** What is kept of a terminal: by state, and by what is left of a repeat. */
interface KeptTerminal {
  masks: Map<string, TerminalMask>;
  repeated: Map<number, RepeatedTerminal>;
}

/** A mask that is being put together for a configuration. */
interface Draft {
  table: ConfigurationTable;
  mask: Int32Array;
  /** Nodes that were entered with a configuration, so that ambiguous formats are walked once. */
  seen: Map<Configuration, Set<number>>;
}

/** Terminals with more states are those of patterns and long texts: most of them are never met. */
const MAX_PREPARED_STATES = 48;
/** Bytes of terminals' masks that are kept for a vocabulary. */
const MAX_KEPT_BYTES = 48_000_000;

/**
 * Finds the tokens that fit. A token may end inside the terminal it begins in; then the answer depends on nothing
 * else and is kept with the terminal. The few that reach beyond are followed through the configurations behind it.
 */
export class TokenMasks {
  readonly #vocabulary: GrammarVocabulary;
  readonly #trie: TokenTrie;
  readonly #words: number;
  #kept = new WeakMap<Terminal, KeptTerminal>();
  #keptBytes = 0;

  constructor(vocabulary: GrammarVocabulary, trie: TokenTrie) {
    this.#vocabulary = vocabulary;
    this.#trie = trie;
    this.#words = Math.ceil(vocabulary.size / 32);
  }

  /** Finds what the terminals of a format say ahead of time, those with many states apart; in short steps. */
  async prepare(table: ConfigurationTable, signal?: AbortSignal): Promise<void> {
    const done = new Set<Terminal>();
    for (const instruction of table.instructions) {
      if (instruction.op !== "match" && instruction.op !== "count") continue;
      const { terminal } = instruction;
      if (done.has(terminal) || terminal.open.length > MAX_PREPARED_STATES) continue;
      done.add(terminal);
      const far = this.#trie.height + 1;
      const repeat = instruction.op === "count" ? { needed: 0, allowed: far } : undefined;
      for (let state = 0; state < terminal.open.length; state++) {
        if (terminal.open[state] === 0 || this.#isKept(terminal, state)) continue;
        this.#terminalMask({ terminal, state, repeat });
        await setImmediate();
        throwIfAborted(signal);
      }
    }
  }

  #isKept(terminal: Terminal, state: number): boolean {
    const kept = this.#kept.get(terminal);
    return kept !== undefined && (kept.repeated.has(state) || kept.masks.has(`${state},undefined,undefined`));
  }

  /** A new mask of the tokens that can follow, stop tokens included. */
  maskOf(table: ConfigurationTable, configuration: Configuration): Int32Array {
    const draft: Draft = { table, mask: new Int32Array(this.#words), seen: new Map() };
    this.#add(draft, configuration, 0);
    if (configuration.accepting) for (const token of this.#vocabulary.stopTokens) set(draft.mask, token);
    return draft.mask;
  }

  /** Adds the tokens below a node of the trie that a configuration allows. */
  #add(draft: Draft, configuration: Configuration, node: number): void {
    const nodes = draft.seen.get(configuration) ?? new Set();
    if (nodes.has(node)) return;
    draft.seen.set(configuration, nodes.add(node));
    for (const thread of configuration.threads) {
      const entry = this.#entry(draft.table, thread);
      const exits =
        node === 0 ? this.#addKept(entry, draft.mask) : walkTerminal(this.#trie, entry, node, draft.mask);
      if (typeof exits === "function" || exits.length > 0)
        this.#follow(draft, draft.table.after(thread), exits);
    }
  }

  /** The tokens that go beyond a terminal. */
  #follow(draft: Draft, behind: Configuration, exits: Exits): void {
    if (behind.threads.length === 0) return;
    const { byte, end, parent } = this.#trie;
    const fits = draft.table.first(behind);
    if (typeof exits !== "function") {
      for (const exit of exits) {
        for (let node = exit + 1; node < end[exit]; node = end[node]) {
          if (fits[byte[node]] === 1) this.#enter(draft, behind, node);
        }
      }
      return;
    }
    for (let value = 0; value < 256; value++) {
      if (fits[value] === 0) continue;
      for (const node of this.#trie.nodesOf(value)) if (exits(parent[node])) this.#enter(draft, behind, node);
    }
  }

  /** A configuration reads the byte that leads to a node. */
  #enter(draft: Draft, from: Configuration, node: number): void {
    const { byte, end, first, tokens } = this.#trie;
    const next = draft.table.step(from, byte[node]);
    if (!next) return;
    for (let at = first[node]; at < first[node + 1]; at++) set(draft.mask, tokens[at]);
    if (end[node] > node + 1) this.#add(draft, next, node);
  }

  #addKept(entry: Entry, mask: Int32Array): Exits {
    const { bits, tokens, exits } = this.#terminalMask(entry);
    if (bits) for (let word = 0; word < mask.length; word++) mask[word] |= bits[word];
    else for (const token of tokens!) set(mask, token);
    return exits;
  }

  #terminalMask(entry: Entry): TerminalMask {
    const { terminal, state, repeat } = entry;
    let kept = this.#kept.get(terminal);
    if (!kept || this.#keptBytes > MAX_KEPT_BYTES) {
      if (kept) {
        this.#kept = new WeakMap();
        this.#keptBytes = 0;
      }
      kept = { masks: new Map(), repeated: new Map() };
      this.#kept.set(terminal, kept);
    }
    const key = `${state},${repeat?.needed},${repeat?.allowed}`;
    let mask = kept.masks.get(key);
    if (mask) return mask;
    if (repeat) {
      let repeated = kept.repeated.get(state);
      if (!repeated) {
        repeated = new RepeatedTerminal(this.#trie, terminal, state, this.#words);
        kept.repeated.set(state, repeated);
        this.#keptBytes += repeated.bytes;
      }
      mask = repeated.mask(repeat);
    } else mask = terminalMask(this.#trie, entry, this.#words);
    kept.masks.set(key, mask);
    this.#keptBytes += mask.bytes;
    return mask;
  }

  /** What is beyond the longest token makes no difference to a mask. */
  #entry(table: ConfigurationTable, { at, state, frame }: Thread): Entry {
    const terminal = terminalAt(table.instructions, at);
    const instruction = table.instructions[at];
    if (instruction.op !== "count") return { terminal, state };
    const far = this.#trie.height + 1;
    const needed = Math.min(far, Math.max(0, instruction.min - frame.count));
    return { terminal, state, repeat: { needed, allowed: Math.min(far, instruction.max - frame.count) } };
  }
}

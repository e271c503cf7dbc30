import { HfmsError } from "../../errors.js";
import { type Configuration, ConfigurationTable } from "./configuration.js";
import type { Program } from "./program.js";
import { TokenMasks } from "./token-mask.js";
import type { TokenTrie } from "./token-trie.js";
import type { GrammarVocabulary } from "./vocabulary.js";

/** A compiled format; any number of answers can be held to it at the same time. */
export interface Grammar {
  matcher(): GrammarMatcher;
}

/** Where one answer stands in its format. */
export interface GrammarMatcher extends Disposable {
  /**
   * Allowed next tokens: bit (token & 31) of mask[token >> 5] over the whole logits row; the memory is reused by the
   * next call. When the format is complete, the stop tokens are allowed. Throws invalid_request when the vocabulary has
   * no token that could follow (never with a vocabulary that has all bytes).
   */
  mask(): Int32Array;
  /** Throws internal_error when the format doesn't allow the token. */
  accept(token: number): void;
  /** Nothing but a stop token can follow. */
  readonly complete: boolean;
}

/** Behind a stop token: only another one can follow. */
const ended: Configuration = { threads: [], accepting: true, steps: new Map() };
/** Bytes of masks that are kept for the configurations of one format. */
const MAX_KEPT_BYTES = 16_000_000;

const masksOf = new WeakMap<GrammarVocabulary, TokenMasks>();

export class ProgramGrammar implements Grammar {
  readonly vocabulary: GrammarVocabulary;
  readonly table: ConfigurationTable;
  readonly #kept = new Map<Configuration, Int32Array>();
  readonly #masks: TokenMasks;

  constructor(program: Program, vocabulary: GrammarVocabulary, trie: TokenTrie) {
    this.vocabulary = vocabulary;
    this.table = new ConfigurationTable(program);
    const known = masksOf.get(vocabulary);
    this.#masks = known ?? new TokenMasks(vocabulary, trie);
    if (!known) masksOf.set(vocabulary, this.#masks);
  }

  /** Does what can be done before the first mask is asked for. */
  async prepare(signal?: AbortSignal): Promise<void> {
    await this.#masks.prepare(this.table, signal);
    this.maskOf(this.table.start);
  }

  matcher(): GrammarMatcher {
    return new ProgramMatcher(this);
  }

  /** The mask of a configuration; not to be written to. The least recently used ones are forgotten first. */
  maskOf(configuration: Configuration): Int32Array {
    const known = this.#kept.get(configuration);
    if (known) this.#kept.delete(configuration);
    const mask = known ?? this.#masks.maskOf(this.table, configuration);
    this.#kept.set(configuration, mask);
    if (this.#kept.size * mask.byteLength > MAX_KEPT_BYTES && this.#kept.size > 1) {
      this.#kept.delete(this.#kept.keys().next().value!);
    }
    return mask;
  }
}

class ProgramMatcher implements GrammarMatcher {
  readonly #grammar: ProgramGrammar;
  readonly #mask: Int32Array;
  #configuration: Configuration;

  constructor(grammar: ProgramGrammar) {
    this.#grammar = grammar;
    this.#configuration = grammar.table.start;
    this.#mask = new Int32Array(Math.ceil(grammar.vocabulary.size / 32));
  }

  get complete(): boolean {
    return this.#configuration.threads.length === 0;
  }

  mask(): Int32Array {
    this.#mask.set(this.#grammar.maskOf(this.#configuration));
    if (this.#mask.every((word) => word === 0)) {
      throw new HfmsError("invalid_request", "this model's vocabulary can't write what the format asks for", {
        param: "format",
      });
    }
    return this.#mask;
  }

  accept(token: number): void {
    if (this.#configuration.accepting && this.#grammar.vocabulary.stopTokens.includes(token)) {
      this.#configuration = ended;
      return;
    }
    const bytes = this.#grammar.vocabulary.bytesOf(token);
    let next: Configuration | undefined = bytes ? this.#configuration : undefined;
    for (let at = 0; next && at < bytes!.length; at++) {
      next = this.#grammar.table.step(next, bytes!.charCodeAt(at));
    }
    if (!next) throw new HfmsError("internal_error", `the output format doesn't allow the token ${token}`);
    this.#configuration = next;
  }

  [Symbol.dispose](): void {}
}

import { HfmsError } from "../../errors.js";
import { bytesOfToken } from "../byte-level.js";
import { compileDecoder } from "../token-decoder.js";
import type { Tokenizer } from "../types.js";
import { TokenTrie } from "./token-trie.js";

export interface GrammarVocabularyOptions {
  /** Length of the logits row; may exceed the tokenizer's ids. */
  size: number;
  stopTokens: readonly number[];
  /** Special tokens that have their text all the same: marks of calls and reasoning, which a detokenizer keeps. */
  keep?: ReadonlySet<number>;
}

/**
 * The bytes that each token of a tokenizer adds to a text. Special tokens add none, except those to keep: no format
 * has them, and an answer that has a format ends with a stop token and nothing else.
 */
export class GrammarVocabulary {
  /** Length of the logits row. */
  readonly size: number;
  readonly stopTokens: readonly number[];
  readonly #tokenizer: Tokenizer;
  readonly #keep: ReadonlySet<number> | undefined;
  #tokens: (string | undefined)[] | undefined;
  #trie: TokenTrie | undefined;

  /**
   * Throws unsupported_model for the few tokenizers whose tokens have another
   * text at the end of an answer than inside (the suffix `</w>` of GPT-1).
   */
  constructor(tokenizer: Tokenizer, options: GrammarVocabularyOptions) {
    const { lastTextOf, strip } = compileDecoder(tokenizer.decoder);
    if (lastTextOf || (strip && strip.stop > 0)) {
      throw new HfmsError("unsupported_model", "this model's tokenizer can't be held to an output format");
    }
    this.#tokenizer = tokenizer;
    this.#keep = options.keep;
    this.size = options.size;
    this.stopTokens = options.stopTokens.filter((id) => id >= 0 && id < options.size);
  }

  /** Bytes of a token, one character for each (Latin-1); undefined where a format can't have it. */
  bytesOf(token: number): string | undefined {
    return this.#all()[token];
  }

  get trie(): TokenTrie {
    this.#trie ??= new TokenTrie(this.#all());
    return this.#trie;
  }

  #all(): (string | undefined)[] {
    this.#tokens ??= tokenBytes(this.#tokenizer, this.size, (id) => {
      if (this.stopTokens.includes(id)) return true;
      return this.#tokenizer.isSpecial(id) && !this.#keep?.has(id);
    });
    return this.#tokens;
  }
}

function tokenBytes(
  tokenizer: Tokenizer,
  size: number,
  skips: (id: number) => boolean,
): (string | undefined)[] {
  const { byteLevel, byteFallback, textOf } = compileDecoder(tokenizer.decoder);
  const count = Math.min(size, tokenizer.vocabularySize);
  return Array.from({ length: count }, (_, id) => {
    const token = tokenizer.idToToken(id);
    if (token === undefined || skips(id)) return undefined;
    if (byteLevel) {
      const bytes = tokenizer.isAdded(id) ? undefined : bytesOfToken(token);
      return (bytes ? Buffer.from(bytes) : Buffer.from(token, "utf8")).toString("latin1") || undefined;
    }
    const byte = byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined;
    if (byte) return String.fromCharCode(Number.parseInt(byte, 16));
    // An answer continues a prompt, so that its first token keeps its space: it is never the first of the text.
    return Buffer.from(textOf(token, 1), "utf8").toString("latin1") || undefined;
  });
}

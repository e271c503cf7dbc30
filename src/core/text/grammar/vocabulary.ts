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
  readonly #bytesOf: (id: number) => string | undefined;
  #trie: Promise<TokenTrie> | undefined;

  /**
   * Throws unsupported_model for the few tokenizers whose tokens have another text at the end of an answer than inside
   * (the suffix `</w>` of GPT-1).
   */
  constructor(tokenizer: Tokenizer, options: GrammarVocabularyOptions) {
    const { lastTextOf, strip } = compileDecoder(tokenizer.decoder);
    if (lastTextOf || (strip && strip.stop > 0)) {
      throw new HfmsError("unsupported_model", "this model's tokenizer can't be held to an output format");
    }
    this.size = options.size;
    this.stopTokens = options.stopTokens.filter((id) => id >= 0 && id < options.size);
    const stop = new Set(this.stopTokens);
    this.#bytesOf = tokenBytes(
      tokenizer,
      (id) => id >= this.size || stop.has(id) || (tokenizer.isSpecial(id) && !options.keep?.has(id)),
    );
  }

  /** Bytes of a token, one character for each (Latin-1); undefined where a format can't have it. */
  bytesOf(token: number): string | undefined {
    return this.#bytesOf(token);
  }

  /** All tokens by their bytes; sorted once, in short steps between which other work goes on. */
  trie(): Promise<TokenTrie> {
    this.#trie ??= TokenTrie.of(this.size, (id) => this.bytesOf(id));
    return this.#trie;
  }
}

function tokenBytes(
  tokenizer: Tokenizer,
  skips: (id: number) => boolean,
): (id: number) => string | undefined {
  const { byteLevel, byteFallback, textOf } = compileDecoder(tokenizer.decoder);
  return (id) => {
    const token = skips(id) ? undefined : tokenizer.idToToken(id);
    if (token === undefined) return undefined;
    if (byteLevel) {
      const bytes = tokenizer.isAdded(id) ? undefined : bytesOfToken(token);
      return (bytes ? Buffer.from(bytes) : Buffer.from(token, "utf8")).toString("latin1") || undefined;
    }
    const byte = byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1] : undefined;
    if (byte) return String.fromCharCode(Number.parseInt(byte, 16));
    // An answer continues a prompt, so that its first token keeps its space: it is never the first of the text.
    return Buffer.from(textOf(token, 1), "utf8").toString("latin1") || undefined;
  };
}

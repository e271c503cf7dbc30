import { HfmsError } from "../errors.js";
import type { ModelConfig, TokenModel } from "./types.js";
import { WordCache } from "./word-cache.js";

/** BERT's WordPiece: the longest piece of the vocabulary from the left; a word with a gap is one unknown token. */
export class WordPieceModel implements TokenModel {
  readonly #vocabulary: ReadonlyMap<string, number>;
  readonly #prefix: string;
  readonly #unknown: number;
  readonly #maxChars: number;
  readonly #longestToken: number;
  readonly #cache = new WordCache();

  constructor(config: ModelConfig, vocabulary: ReadonlyMap<string, number>) {
    const unknown = vocabulary.get(config.unk_token ?? "[UNK]");
    if (unknown === undefined) {
      throw new HfmsError(
        "corrupt_file",
        `the tokenizer's unknown token "${config.unk_token ?? "[UNK]"}" is not in its vocabulary`,
      );
    }
    this.#vocabulary = vocabulary;
    this.#unknown = unknown;
    this.#prefix = config.continuing_subword_prefix ?? "##";
    this.#maxChars = config.max_input_chars_per_word ?? 100;
    let longest = 0;
    for (const token of vocabulary.keys()) longest = Math.max(longest, token.length);
    this.#longestToken = longest;
  }

  encode(word: string, ids: number[]): void {
    let pieces = this.#cache.get(word);
    if (!pieces) {
      pieces = this.#pieces(word);
      this.#cache.add(word, pieces);
    }
    for (let i = 0; i < pieces.length; i++) ids.push(pieces[i]);
  }

  #pieces(word: string): Int32Array {
    if (word.length > this.#maxChars && [...word].length > this.#maxChars)
      return Int32Array.of(this.#unknown);
    const pieces: number[] = [];
    let start = 0;
    while (start < word.length) {
      let end = Math.min(word.length, start + this.#longestToken);
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = word.slice(start, end);
        id = this.#vocabulary.get(start > 0 ? this.#prefix + piece : piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return Int32Array.of(this.#unknown);
      pieces.push(id);
      start = end;
    }
    return Int32Array.from(pieces);
  }
}

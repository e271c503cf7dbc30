/** Text to token ids and back. Implementations: tokenizer.json, and vocabularies rebuilt from GGUF metadata. */
export interface Tokenizer {
  /** Number of ids, added tokens included. */
  vocabularySize: number;
  /**
   * Token ids of a text. `addSpecialTokens` applies the model's post-processor ([CLS] … [SEP], BOS); special tokens
   * that stand in the text are recognised either way.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** Text of token ids; incomplete UTF-8 at the end becomes U+FFFD. */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  isSpecial(id: number): boolean;
  specialTokens: {
    bos?: string;
    eos?: string;
    pad?: string;
    unk?: string;
    cls?: string;
    sep?: string;
    mask?: string;
  };
}

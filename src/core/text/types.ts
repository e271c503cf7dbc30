/** Text to token ids and back. Implementations: tokenizer.json, and vocabularies rebuilt from GGUF metadata. */
export interface Tokenizer {
  /** Number of ids: the highest id + 1, added tokens included. */
  vocabularySize: number;
  /**
   * Token ids of a text. `addSpecialTokens` applies the model's post-processor ([CLS] … [SEP], BOS) and is on by
   * default; special tokens that stand in the text are recognised either way.
   */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /**
   * Ids of one text or two (encoded without special tokens) with the special tokens that the model's post-processor
   * puts around and between them. Throws unsupported_model where it does not say how two are joined.
   */
  join(first: readonly number[], second?: readonly number[]): TokenRow;
  /**
   * Text of token ids; incomplete UTF-8 at the end becomes U+FFFD. Special tokens are kept unless
   * `skipSpecialTokens`. An id outside the vocabulary has no text.
   */
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
  /** Tokens of a text without special ones around it, and where each stands. */
  locate(text: string): PlacedToken[];
  tokenToId(token: string): number | undefined;
  idToToken(id: number): string | undefined;
  isSpecial(id: number): boolean;
  /** True for tokens that were added to the trained vocabulary: they stand for their own text. */
  isAdded(id: number): boolean;
  /** What a token that continues a word begins with, where the vocabulary marks those. */
  wordPiecePrefix?: string;
  /** tokenizer.json's `decoder`: how token strings become text. `Detokenizer` reads it. */
  decoder: DecoderConfig | null;
  /** Strings of the tokens with a role; those that have no id in the vocabulary are left out. */
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

/** What a model reads: ids, and for each the segment that it is part of (BERT's token_type_ids). */
export interface TokenRow {
  ids: number[];
  typeIds: number[];
}

/** A token, and where it stands in the text: UTF-16 units [start, end), as JavaScript counts. */
export interface PlacedToken {
  id: number;
  start: number;
  end: number;
  /** Which of the words that the text was split into it is part of; 0 and on. */
  word: number;
}

/** A tagged object out of tokenizer.json (normalizer, pre_tokenizer, post_processor, decoder). */
export interface TaggedConfig {
  type: string;
  [key: string]: unknown;
}

export type DecoderConfig = TaggedConfig;

/** The file tokenizer.json, as huggingface/tokenizers writes it (the parts that are read here). */
export interface TokenizerJson {
  version?: string;
  /** Settings somebody saved; never applied here: the caller decides about length. */
  truncation?: unknown;
  padding?: unknown;
  added_tokens?: AddedTokenConfig[];
  normalizer?: TaggedConfig | null;
  pre_tokenizer?: TaggedConfig | null;
  post_processor?: TaggedConfig | null;
  decoder?: DecoderConfig | null;
  model: ModelConfig;
}

export interface AddedTokenConfig {
  id: number;
  content: string;
  single_word?: boolean;
  lstrip?: boolean;
  rstrip?: boolean;
  normalized?: boolean;
  special?: boolean;
}

export interface ModelConfig {
  type?: string;
  /** Token to id; for Unigram a list of [token, score]. */
  vocab: Record<string, number> | [string, number][];
  merges?: (string | [string, string])[];
  unk_token?: string | null;
  unk_id?: number | null;
  continuing_subword_prefix?: string | null;
  end_of_word_suffix?: string | null;
  max_input_chars_per_word?: number;
  byte_fallback?: boolean;
  ignore_merges?: boolean;
  fuse_unk?: boolean;
}

/** The file tokenizer_config.json (the parts that are read here). */
export interface TokenizerConfig {
  tokenizer_class?: string;
  chat_template?: string | { name: string; template: string }[] | null;
  added_tokens_decoder?: Record<string, Omit<AddedTokenConfig, "id">>;
  additional_special_tokens?: unknown;
  do_lower_case?: boolean;
  strip_accents?: boolean | null;
  tokenize_chinese_chars?: boolean;
  add_prefix_space?: boolean;
  add_bos_token?: boolean;
  add_eos_token?: boolean;
  model_max_length?: number;
  /** bos_token, eos_token, …: a string, or an object with `content`. */
  [key: string]: unknown;
}

/** Splits a piece of text into token ids; the last step of encoding. Appends to `ids`. */
export interface TokenModel {
  encode(word: string, ids: number[]): void;
}

import { HfmsError } from "../errors.js";
import { byteLevelDecoder } from "./byte-level.js";
import { contentOf } from "./special-tokens.js";
import { surround } from "./surround.js";
import type { AddedTokenConfig, TaggedConfig, TokenizerConfig, TokenizerJson } from "./types.js";

/** Classes with the same files, whose pairs are not bytes of GPT-2's alphabet. */
const OTHER_PAIRS =
  /^(BlenderbotSmall|FSMT|XLM(?!R)|OpenAIGPT|CTRL|Flaubert|Phobert|Bertweet|Herbert|BioGpt)/i;

/** The tokenizer.json of a repository that has vocab.json and merges.txt (GPT-2's files, byte-level BPE). */
export function bytePairFromFiles(
  vocabulary: Record<string, number>,
  merges: string,
  config: TokenizerConfig,
): TokenizerJson {
  const lines = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const tokenizerClass = config.tokenizer_class ?? "";
  if (OTHER_PAIRS.test(tokenizerClass)) {
    throw new HfmsError("unsupported_model", `the tokenizer ${tokenizerClass} is not built from its files`, {
      hint: "the model needs tokenizer.json: look for a copy of it on the Hub that has one",
    });
  }
  const roberta = /^(Roberta|Longformer|LED|Bart|Mvp|Blenderbot)/.test(tokenizerClass);
  // Blenderbot's has RoBERTa's tokens, but begins a text like any other word and only ends it with one.
  const blenderbot = tokenizerClass.startsWith("Blenderbot");
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens(vocabulary, config, {
      unk_token: "<|endoftext|>",
      bos_token: roberta ? "<s>" : "<|endoftext|>",
      eos_token: roberta ? "</s>" : "<|endoftext|>",
      ...(roberta ? { pad_token: "<pad>", mask_token: "<mask>" } : {}),
    }),
    normalizer: null,
    pre_tokenizer: { ...byteLevelDecoder, add_prefix_space: config.add_prefix_space ?? blenderbot },
    post_processor: blenderbot
      ? surround(undefined, "</s>", (token) => vocabulary[token])
      : roberta
        ? around(vocabulary, "<s>", "</s>")
        : bosTemplate(vocabulary, config),
    decoder: byteLevelDecoder,
    model: { type: "BPE", vocab: vocabulary, merges: lines, unk_token: null },
  };
}

/** The tokenizer.json of a repository that has vocab.txt, one token a line (BERT's file, WordPiece). */
export function wordPieceFromFile(words: string, config: TokenizerConfig): TokenizerJson {
  const lines = words.replace(/\n$/, "").split(/\r?\n/);
  const vocabulary = Object.fromEntries(lines.map((token, id) => [token, id]));
  const defaults = {
    unk_token: "[UNK]",
    cls_token: "[CLS]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    mask_token: "[MASK]",
  };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: specialTokens(vocabulary, config, defaults),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars ?? true,
      strip_accents: config.strip_accents ?? null,
      lowercase: config.do_lower_case ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: around(
      vocabulary,
      contentOf(config.cls_token) ?? "[CLS]",
      contentOf(config.sep_token) ?? "[SEP]",
    ),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      vocab: vocabulary,
      unk_token: contentOf(config.unk_token) ?? "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  };
}

function specialTokens(
  vocabulary: Record<string, number>,
  config: TokenizerConfig,
  defaults: Record<string, string>,
): AddedTokenConfig[] {
  const contents = new Set(Object.entries(defaults).map(([role, token]) => contentOf(config[role]) ?? token));
  return [...contents]
    .filter((content) => vocabulary[content] !== undefined)
    .map((content) => ({
      id: vocabulary[content],
      content,
      special: true,
      normalized: false,
      single_word: false,
      rstrip: false,
      // RoBERTa's mask takes the space before it.
      lstrip: content === "<mask>",
    }));
}

/** RoBERTa's and BERT's: both tokens must exist. */
function around(vocabulary: Record<string, number>, first: string, last: string): TaggedConfig | null {
  for (const token of [first, last]) {
    if (vocabulary[token] === undefined) {
      throw new HfmsError("corrupt_file", `the vocabulary has no "${token}"`);
    }
  }
  return surround(first, last, (token) => vocabulary[token]);
}

function bosTemplate(vocabulary: Record<string, number>, config: TokenizerConfig): TaggedConfig | null {
  const bos = contentOf(config.bos_token) ?? "<|endoftext|>";
  if (!config.add_bos_token || vocabulary[bos] === undefined) return null;
  return surround(bos, undefined, (token) => vocabulary[token]);
}

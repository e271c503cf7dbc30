import { HfmsError } from "../errors.js";
import type { MetadataValue } from "../weights/types.js";
import { byteLevelDecoder } from "./byte-level.js";
import { ggufPreTokenizer } from "./gguf-pre-tokenizers.js";
import { listedBytePair, MARK, mergesByScore, scoredBytePair, unigram } from "./gguf-sentencepiece.js";
import {
  addedTokens,
  flag,
  type GgufVocabulary,
  readGgufVocabulary,
  strings,
  template,
  text,
  tokenTypes,
  vocabularyOf,
} from "./gguf-vocabulary.js";
import type { TokenizerConfig, TokenizerJson } from "./types.js";

/**
 * Rebuilds tokenizer.json and tokenizer_config.json from a GGUF file's metadata: byte-level BPE (`gpt2`), SentencePiece
 * BPE (`llama`, `gemma4`), Unigram (`t5`) and WordPiece (`bert`). A file that carries its tokenizer.json is taken at its
 * word. Others are refused with unsupported_model, damage with corrupt_file; both name `file` and the key.
 */
export function tokenizerFromGguf(
  metadata: ReadonlyMap<string, MetadataValue>,
  file = "the GGUF file",
): { tokenizerJson: TokenizerJson; tokenizerConfig: TokenizerConfig } {
  const gguf = readGgufVocabulary(metadata, file);
  return { tokenizerJson: embeddedJson(gguf) ?? build(gguf), tokenizerConfig: configOf(gguf) };
}

function embeddedJson({ file, metadata }: GgufVocabulary): TokenizerJson | undefined {
  const key = "tokenizer.huggingface.json";
  const value = metadata.get(key);
  if (typeof value !== "string") return undefined;
  try {
    const json: unknown = JSON.parse(value);
    if (typeof json === "object" && json !== null && "model" in json) return json as TokenizerJson;
  } catch (cause) {
    throw new HfmsError("corrupt_file", `${file}'s ${key} is not JSON`, { cause });
  }
  throw new HfmsError("corrupt_file", `${file}'s ${key} is no tokenizer`);
}

function build(gguf: GgufVocabulary): TokenizerJson {
  switch (gguf.model) {
    case "gpt2":
      return bytePair(gguf);
    case "llama":
      return scoredBytePair(gguf);
    case "gemma4":
      return listedBytePair(gguf);
    case "t5":
      return unigram(gguf);
    case "bert":
      return wordPiece(gguf);
    default:
      throw new HfmsError(
        "unsupported_model",
        `${gguf.file}'s tokenizer "${gguf.model}" (tokenizer.ggml.model) is not supported`,
        {
          hint: "gpt2 (byte-level BPE), llama and gemma4 (SentencePiece BPE), t5 (Unigram) and bert (WordPiece) are",
        },
      );
  }
}

function bytePair(gguf: GgufVocabulary): TokenizerJson {
  const name = text(gguf, "pre") ?? "default";
  if (name === "gemma4") return listedBytePair(gguf);
  const pre = ggufPreTokenizer(name, gguf.file);
  const merges = strings(gguf, "merges") ?? (pre.merges_by_id ? mergesById(gguf) : undefined);
  if (!merges) throw new HfmsError("corrupt_file", `${gguf.file} has no merges (tokenizer.ggml.merges)`);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(gguf),
    normalizer: pre.normalizer,
    pre_tokenizer: pre.pre_tokenizer,
    post_processor: template(gguf, pre.add_bos, false),
    decoder: byteLevelDecoder,
    model: {
      type: "BPE",
      vocab: vocabularyOf(gguf.tokens),
      merges,
      unk_token: null,
      ignore_merges: pre.ignore_merges,
    },
  };
}

/** tiktoken's files have no merges: the pair goes first whose result has the lowest id. */
function mergesById(gguf: GgufVocabulary): [string, string][] {
  return mergesByScore(
    gguf,
    gguf.tokens.map((_, id) => -id),
  );
}

/** GGUF writes BERT's pieces the SentencePiece way: a mark where a word begins, none inside. */
function wordPiece(gguf: GgufVocabulary): TokenizerJson {
  const pieces = gguf.tokens.map((token, id) => {
    if (gguf.types[id] === tokenTypes.control || gguf.types[id] === tokenTypes.unknown) return token;
    // A mark alone is one inside a word: no word is empty.
    return token.startsWith(MARK) && token !== MARK ? token.slice(MARK.length) : `##${token}`;
  });
  const original = { ...gguf, tokens: pieces };
  // Files before the key don't say whether the model is cased; a cased vocabulary has capital letters.
  const lowercase = flag(gguf, "normalizer.lowercase", !pieces.includes("A"));
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(original),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: flag(gguf, "normalizer.strip_accents", lowercase),
      lowercase,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template(original, true, true),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      vocab: vocabularyOf(pieces),
      unk_token: gguf.roles.unk ?? "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  };
}

function configOf({ metadata, roles, model }: GgufVocabulary): TokenizerConfig {
  const config: TokenizerConfig = {};
  for (const [role, token] of Object.entries(roles)) config[`${role}_token`] = token;
  if (model === "bert") config.tokenizer_class = "BertTokenizer";
  const whole = metadata.get("tokenizer.chat_template");
  const names = metadata.get("tokenizer.chat_templates");
  if (Array.isArray(names) && names.length > 0) {
    const named = names.map((name) => ({
      name: String(name),
      template: String(metadata.get(`tokenizer.chat_template.${name}`) ?? ""),
    }));
    config.chat_template = [
      ...(typeof whole === "string" ? [{ name: "default", template: whole }] : []),
      ...named,
    ];
  } else if (typeof whole === "string") {
    config.chat_template = whole;
  }
  return config;
}

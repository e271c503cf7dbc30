import { HfmsError } from "../errors.js";
import type { MetadataValue } from "../weights/types.js";
import { byteLevelDecoder } from "./byte-level.js";
import { ggufPreTokenizer } from "./gguf-pre-tokenizers.js";
import { surround } from "./surround.js";
import type { AddedTokenConfig, TaggedConfig, TokenizerConfig, TokenizerJson } from "./types.js";

/** `tokenizer.ggml.token_type`, as ggml's llama.h numbers them. */
const tokenTypes = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** SentencePiece's mark for a space. */
const MARK = "▁";

type Metadata = ReadonlyMap<string, MetadataValue>;

/**
 * Rebuilds tokenizer.json and tokenizer_config.json from a GGUF file's metadata: byte-level BPE (`gpt2`), SentencePiece
 * BPE (`llama`) and WordPiece (`bert`). Others are refused with unsupported_model, damage with corrupt_file.
 */
export function tokenizerFromGguf(metadata: Metadata): {
  tokenizerJson: TokenizerJson;
  tokenizerConfig: TokenizerConfig;
} {
  const gguf = readMetadata(metadata);
  return { tokenizerJson: build(gguf), tokenizerConfig: configOf(gguf) };
}

interface GgufVocabulary {
  metadata: Metadata;
  model: string;
  tokens: string[];
  types: number[];
  /** Token strings of the roles that the file names. */
  roles: Partial<Record<Role, string>>;
}

const roleKeys = {
  bos: ["bos_token_id"],
  eos: ["eos_token_id"],
  unk: ["unknown_token_id"],
  pad: ["padding_token_id"],
  cls: ["cls_token_id"],
  // llama.cpp's own spelling, and what converters write.
  sep: ["seperator_token_id", "separator_token_id"],
  mask: ["mask_token_id"],
} as const;
type Role = keyof typeof roleKeys;

function readMetadata(metadata: Metadata): GgufVocabulary {
  const model = metadata.get("tokenizer.ggml.model");
  if (typeof model !== "string") {
    throw new HfmsError("corrupt_file", "the GGUF file has no tokenizer (tokenizer.ggml.model)", {
      hint: "put the model's tokenizer.json beside it",
    });
  }
  const tokens = list(metadata, "tokens", isString);
  if (!tokens?.length)
    throw new HfmsError("corrupt_file", "the GGUF file has no tokens (tokenizer.ggml.tokens)");
  const types = list(metadata, "token_type", isNumber) ?? tokens.map(() => tokenTypes.normal);
  if (types.length !== tokens.length) {
    throw new HfmsError(
      "corrupt_file",
      `the GGUF file has ${tokens.length} tokens but ${types.length} token types`,
    );
  }
  const named = tokens.map((token, id) => (token === "" ? `[EMPTY_${id}]` : token));
  const roles: GgufVocabulary["roles"] = {};
  for (const [role, keys] of Object.entries(roleKeys) as [Role, readonly string[]][]) {
    const id = keys.map((key) => metadata.get(`tokenizer.ggml.${key}`)).find((value) => value !== undefined);
    if (id === undefined) continue;
    const token = named[Number(id)];
    if (token === undefined) {
      throw new HfmsError(
        "corrupt_file",
        `the GGUF file's ${role} token ${id} is outside its ${tokens.length} tokens`,
      );
    }
    roles[role] = token;
  }
  return { metadata, model, tokens: named, types, roles };
}

function build(gguf: GgufVocabulary): TokenizerJson {
  switch (gguf.model) {
    case "gpt2":
      return bytePair(gguf);
    case "llama":
      return sentencePiece(gguf);
    case "bert":
      return wordPiece(gguf);
    default:
      throw new HfmsError("unsupported_model", `the GGUF file's tokenizer "${gguf.model}" is not supported`, {
        hint: "gpt2 (byte-level BPE), llama (SentencePiece BPE) and bert (WordPiece) are",
      });
  }
}

function bytePair(gguf: GgufVocabulary): TokenizerJson {
  const merges = list(gguf.metadata, "merges", isString);
  if (!merges) throw new HfmsError("corrupt_file", "the GGUF file has no merges (tokenizer.ggml.merges)");
  const pre = ggufPreTokenizer(text(gguf.metadata, "pre") ?? "default");
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

/**
 * SentencePiece BPE joins the pair whose result has the best score. As merges: every way to make a token out of two
 * tokens, ordered by the token's score (the conversion that transformers uses for Llama).
 */
function sentencePiece(gguf: GgufVocabulary): TokenizerJson {
  const scores = list(gguf.metadata, "scores", isNumber);
  if (scores?.length !== gguf.tokens.length) {
    throw new HfmsError("corrupt_file", "the GGUF file has no score for each token (tokenizer.ggml.scores)");
  }
  const prefix = gguf.metadata.get("tokenizer.ggml.add_space_prefix") !== false;
  const replace: TaggedConfig = { type: "Replace", pattern: { String: " " }, content: MARK };
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(gguf),
    normalizer: {
      type: "Sequence",
      normalizers: prefix ? [{ type: "Prepend", prepend: MARK }, replace] : [replace],
    },
    pre_tokenizer: null,
    post_processor: template(gguf, true, false),
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: MARK }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
      ],
    },
    model: {
      type: "BPE",
      vocab: vocabularyOf(gguf.tokens),
      merges: mergesByScore(gguf, scores),
      unk_token: gguf.roles.unk ?? gguf.tokens[gguf.types.indexOf(tokenTypes.unknown)] ?? null,
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

function mergesByScore({ tokens, types }: GgufVocabulary, scores: number[]): [string, string][] {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (types[id] === tokenTypes.normal) ids.set(token, id);
  });
  const merges: { left: number; right: number; score: number }[] = [];
  for (const [token, id] of ids) {
    for (let at = 1; at < token.length; at++) {
      const left = ids.get(token.slice(0, at));
      const right = left === undefined ? undefined : ids.get(token.slice(at));
      if (right !== undefined) merges.push({ left: left!, right, score: scores[id] });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return merges.map(({ left, right }) => [tokens[left], tokens[right]]);
}

/** GGUF writes BERT's pieces the SentencePiece way: a mark where a word begins, none inside. */
function wordPiece(gguf: GgufVocabulary): TokenizerJson {
  const pieces = gguf.tokens.map((token, id) => {
    if (gguf.types[id] === tokenTypes.control || gguf.types[id] === tokenTypes.unknown) return token;
    return token.startsWith(MARK) ? token.slice(MARK.length) : `##${token}`;
  });
  const original = { ...gguf, tokens: pieces };
  const unknown = gguf.roles.unk ?? "[UNK]";
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(original),
    // The file doesn't say whether the model is cased; a cased vocabulary has capital letters.
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: !pieces.includes("A"),
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: template(original, true, true),
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      vocab: vocabularyOf(pieces),
      unk_token: unknown,
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
    },
  };
}

function addedTokens({ tokens, types }: Pick<GgufVocabulary, "tokens" | "types">): AddedTokenConfig[] {
  const added: AddedTokenConfig[] = [];
  types.forEach((type, id) => {
    const special = type === tokenTypes.control || type === tokenTypes.unknown;
    if (special || type === tokenTypes.userDefined) {
      const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false };
      added.push({ id, content: tokens[id], ...plain, special });
    }
  });
  return added;
}

/** BOS (or CLS) before the text and EOS (or SEP) after it, as the file says or else by default. */
function template(gguf: GgufVocabulary, bosByDefault: boolean, eosByDefault: boolean): TaggedConfig | null {
  const first = gguf.roles.cls ?? gguf.roles.bos;
  const last = gguf.model === "bert" ? (gguf.roles.sep ?? gguf.roles.eos) : gguf.roles.eos;
  const addFirst = gguf.metadata.get("tokenizer.ggml.add_bos_token") ?? bosByDefault;
  const addLast =
    gguf.metadata.get("tokenizer.ggml.add_eos_token") ??
    gguf.metadata.get("tokenizer.ggml.add_sep_token") ??
    eosByDefault;
  return surround(addFirst ? first : undefined, addLast ? last : undefined, (token) =>
    gguf.tokens.indexOf(token),
  );
}

function configOf({ metadata, roles, model }: GgufVocabulary): TokenizerConfig {
  const config: TokenizerConfig = {};
  for (const [role, token] of Object.entries(roles)) config[`${role}_token`] = token;
  if (model === "bert") config.tokenizer_class = "BertTokenizer";
  const template = metadata.get("tokenizer.chat_template");
  const names = metadata.get("tokenizer.chat_templates");
  if (Array.isArray(names) && names.length > 0) {
    const named = names.map((name) => ({
      name: String(name),
      template: String(metadata.get(`tokenizer.chat_template.${name}`) ?? ""),
    }));
    const whole = typeof template === "string" ? [{ name: "default", template }] : [];
    config.chat_template = [...whole, ...named];
  } else if (typeof template === "string") {
    config.chat_template = template;
  }
  return config;
}

function vocabularyOf(tokens: string[]): Record<string, number> {
  return Object.fromEntries(tokens.map((token, id) => [token, id]));
}

function text(metadata: Metadata, key: string): string | undefined {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function list<T extends MetadataValue>(
  metadata: Metadata,
  key: string,
  is: (value: MetadataValue) => value is T,
): T[] | undefined {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every(is)) return value as T[];
  throw new HfmsError(
    "corrupt_file",
    `the GGUF file's tokenizer.ggml.${key} is not a list of the right kind`,
  );
}

function isString(value: MetadataValue): value is string {
  return typeof value === "string";
}

function isNumber(value: MetadataValue): value is number {
  return typeof value === "number";
}

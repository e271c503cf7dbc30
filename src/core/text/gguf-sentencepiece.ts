import { HfmsError } from "../errors.js";
import {
  addedTokens,
  flag,
  type GgufVocabulary,
  numbers,
  strings,
  template,
  tokenTypes,
  vocabularyOf,
} from "./gguf-vocabulary.js";
import type { TaggedConfig, TokenizerJson } from "./types.js";

/** SentencePiece's mark for a space. */
export const MARK = "▁";

/**
 * SentencePiece BPE joins the pair whose result has the best score. As merges: every way to make a token out of two
 * tokens, ordered by the token's score (the conversion that transformers uses for Llama).
 */
export function scoredBytePair(gguf: GgufVocabulary): TokenizerJson {
  return markedBytePair(gguf, mergesByScore(gguf, scoresOf(gguf)), flag(gguf, "add_space_prefix", true));
}

/** Gemma 4 and its kin: SentencePiece's alphabet, with merges that the file lists and no space before the text. */
export function listedBytePair(gguf: GgufVocabulary): TokenizerJson {
  const merges = strings(gguf, "merges");
  if (!merges) throw new HfmsError("corrupt_file", `${gguf.file} has no merges (tokenizer.ggml.merges)`);
  return markedBytePair(gguf, merges, false);
}

function markedBytePair(
  gguf: GgufVocabulary,
  merges: (string | [string, string])[],
  prefix: boolean,
): TokenizerJson {
  const toMarks: TaggedConfig = { type: "Replace", pattern: { String: " " }, content: MARK };
  const toText: TaggedConfig[] = [
    { type: "Replace", pattern: { String: MARK }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
  ];
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(gguf),
    normalizer: {
      type: "Sequence",
      normalizers: prefix ? [{ type: "Prepend", prepend: MARK }, toMarks] : [toMarks],
    },
    pre_tokenizer: null,
    post_processor: template(gguf, true, false),
    decoder: {
      type: "Sequence",
      decoders: prefix ? [...toText, { type: "Strip", content: " ", start: 1, stop: 0 }] : toText,
    },
    model: {
      type: "BPE",
      vocab: vocabularyOf(gguf.tokens),
      merges,
      unk_token: unknownOf(gguf),
      fuse_unk: true,
      byte_fallback: true,
    },
  };
}

/** T5's and XLM-RoBERTa's: the segmentation of the best sum of scores. */
export function unigram(gguf: GgufVocabulary): TokenizerJson {
  const { tokens, types } = gguf;
  const scores = scoresOf(gguf);
  const unknown = unknownOf(gguf);
  // Converters fill the vocabulary up to the embedding's rows with [PAD…] of a score far below all: those are no tokens.
  const count = types.findLastIndex((type) => type !== tokenTypes.unused) + 1;
  const lowest = scores.reduce(
    (least, score, id) => (types[id] === tokenTypes.unused ? least : Math.min(least, score)),
    0,
  );
  const charsmap = numbers(gguf, "precompiled_charsmap");
  const metaspace: TaggedConfig = {
    type: "Metaspace",
    replacement: MARK,
    prepend_scheme: flag(gguf, "add_space_prefix", true) ? "always" : "never",
  };
  const squeezes = flag(gguf, "remove_extra_whitespaces", true);
  return {
    version: "1.0",
    truncation: null,
    padding: null,
    added_tokens: addedTokens(gguf),
    normalizer: charsmap
      ? { type: "Precompiled", precompiled_charsmap: Buffer.from(charsmap).toString("base64") }
      : null,
    pre_tokenizer: squeezes
      ? { type: "Sequence", pretokenizers: [{ type: "WhitespaceSplit" }, metaspace] }
      : metaspace,
    post_processor: template(gguf, false, true),
    decoder: metaspace,
    model: {
      type: "Unigram",
      unk_id: unknown === null ? null : tokens.indexOf(unknown),
      vocab: tokens
        .slice(0, count)
        .map((token, id) => [token, types[id] === tokenTypes.unused ? lowest : scores[id]]),
      byte_fallback: types.includes(tokenTypes.byte),
    },
  };
}

function scoresOf(gguf: GgufVocabulary): number[] {
  const scores = numbers(gguf, "scores");
  if (scores?.length !== gguf.tokens.length) {
    throw new HfmsError("corrupt_file", `${gguf.file} has no score for each token (tokenizer.ggml.scores)`);
  }
  return scores;
}

function unknownOf({ roles, tokens, types }: GgufVocabulary): string | null {
  return roles.unk ?? tokens[types.indexOf(tokenTypes.unknown)] ?? null;
}

// SentencePiece's pieces have 16 characters, code models' runs of spaces 128. The ways to cut a token grow with its length.
const MAX_MERGED = 256;

/** Merges of the normal tokens, the highest score first; of equal ones the earlier token, then its earlier parts. */
export function mergesByScore(
  { tokens, types }: Pick<GgufVocabulary, "tokens" | "types">,
  scores: readonly number[],
): [string, string][] {
  const ids = new Map<string, number>();
  tokens.forEach((token, id) => {
    if (types[id] === tokenTypes.normal) ids.set(token, id);
  });
  const merges: { id: number; left: number; right: number }[] = [];
  for (const [token, id] of ids) {
    if (token.length > MAX_MERGED) continue;
    for (let at = 1; at < token.length; at++) {
      const left = ids.get(token.slice(0, at));
      const right = left === undefined ? undefined : ids.get(token.slice(at));
      if (right !== undefined) merges.push({ id, left: left!, right });
    }
  }
  merges.sort((a, b) => scores[b.id] - scores[a.id] || a.id - b.id || a.left - b.left || a.right - b.right);
  return merges.map(({ left, right }) => [tokens[left], tokens[right]]);
}

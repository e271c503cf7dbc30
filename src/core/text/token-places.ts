import type { AddedTokenFinder } from "./added-tokens.js";
import { type Alignment, align } from "./alignment.js";
import type { PreTokenize, PreTokenizer } from "./pre-tokenizer.js";
import type { ModelConfig, PlacedToken, TokenModel } from "./types.js";

/** The parts of a tokenizer. */
export interface TokenizerParts {
  config: ModelConfig;
  verbatim: AddedTokenFinder;
  normalized: AddedTokenFinder;
  normalize(text: string): string;
  preTokenizer: PreTokenizer;
  model: TokenModel;
  /** By id. */
  tokens: readonly string[];
  /** Spaces that a token begins or ends with are not part of its place. */
  trim: boolean;
}

/** A stretch of normalized text, and where each of its units stands in the original. */
interface Piece extends Alignment {
  text: string;
}

/**
 * Tokens of a text like `encode`'s, without special tokens around them, and where each stands. Places follow
 * huggingface/tokenizers, which keeps them while it works; here they are found again afterwards, so that texts that
 * nobody asks the places of cost nothing.
 */
export function placeTokens(text: string, parts: TokenizerParts): PlacedToken[] {
  const found: PlacedToken[] = [];
  let word = 0;
  for (const section of parts.verbatim.split(text)) {
    if (section.id !== undefined) {
      found.push({ id: section.id, start: section.start, end: section.end, word: word++ });
      continue;
    }
    const normal = parts.normalize(section.text);
    const alignment = align(section.text, normal, parts.normalize);
    for (const part of parts.normalized.split(normal)) {
      const end = part.id === undefined ? part.start + part.text.length : part.end;
      const piece = slice({ text: normal, ...alignment }, part.start, end);
      if (part.id !== undefined) {
        found.push({ id: part.id, ...spanOf(piece, 0, piece.text.length, section.start), word: word++ });
        continue;
      }
      const first = section.start + part.start === 0;
      for (const one of wordsOf(piece, parts.preTokenizer.steps, first)) {
        for (const { id, start, end } of tokensOf(one, parts))
          found.push({ id, ...spanOf(one, start, end, section.start), word });
        word++;
      }
    }
  }
  return parts.trim ? found.map((token) => trimmed(token, text)) : found;
}

function slice({ text, from, to }: Piece, start: number, end: number): Piece {
  return { text: text.slice(start, end), from: from.slice(start, end), to: to.slice(start, end) };
}

function spanOf(
  { from, to }: Piece,
  start: number,
  end: number,
  offset: number,
): { start: number; end: number } {
  if (end <= start) {
    const at = offset + (from[start] ?? to.at(-1) ?? 0);
    return { start: at, end: at };
  }
  return { start: offset + from[start], end: offset + to[end - 1] };
}

function wordsOf(piece: Piece, steps: readonly PreTokenize[], first: boolean): Piece[] {
  return steps.reduce(
    (pieces, step) => pieces.flatMap((one, i) => located(one, step(one.text, first && i === 0))),
    [piece],
  );
}

/** Words in the text that they were split from, one behind the other. A word may begin with a space that was put there. */
function located(piece: Piece, words: readonly string[]): Piece[] {
  let at = 0;
  return words.map((word) => {
    const whole = find(piece.text, word, at);
    const bare = isPrefix(word[0]) ? find(piece.text, word.slice(1), at) : undefined;
    const added = bare !== undefined && (whole === undefined || bare < whole);
    const start = (added ? bare : whole) ?? at;
    const length = added ? word.length - 1 : word.length;
    at = Math.min(start + length, piece.text.length);
    const { from, to } = slice(piece, start, at);
    if (added) {
      from.unshift(from[0] ?? piece.from[start] ?? 0);
      to.unshift(to[0] ?? from[0]);
    }
    return { text: word, from, to };
  });
}

function isPrefix(char: string | undefined): boolean {
  return char === " " || char === "▁";
}

/** Where `word` stands in `text`, whose spaces it may have as marks. */
function find(text: string, word: string, from: number): number | undefined {
  const start = (text.includes("▁") ? text : text.replaceAll(" ", "▁")).indexOf(
    text.includes("▁") ? word : word.replaceAll(" ", "▁"),
    from,
  );
  return start < 0 ? undefined : start;
}

/** A word's tokens, and the units of it that each stands for. They are counted in bytes, of which a character may be several tokens. */
function tokensOf({ text }: Piece, parts: TokenizerParts): { id: number; start: number; end: number }[] {
  const ids: number[] = [];
  parts.model.encode(text, ids);
  const units = unitsOfBytes(text);
  const bytes = parts.preTokenizer.byteLevel ? undefined : Buffer.from(text, "utf8");
  let at = 0;
  return ids.map((id, i) => {
    const start = at;
    at = Math.min(start + lengthOf(ids, i, { start, bytes, units, parts }), units.length);
    const from = units[start]?.[0] ?? text.length;
    return { id, start: from, end: at > start ? units[at - 1][1] : from };
  });
}

interface Place {
  start: number;
  /** Of the word; undefined where tokens are written in bytes. */
  bytes: Buffer | undefined;
  units: readonly [start: number, end: number][];
  parts: TokenizerParts;
}

/** How many bytes of the word the token `ids[i]` stands for. */
function lengthOf(ids: readonly number[], i: number, { start, bytes, units, parts }: Place): number {
  const surface = surfaceOf(parts, ids[i], i);
  if (surface !== undefined) return bytes ? Buffer.byteLength(surface) : surface.length;
  const { config, tokens } = parts;
  if (BYTE.test(tokens[ids[i]] ?? "")) return 1;
  if (config.merges && !config.fuse_unk) {
    const [from, to] = units[start] ?? [0, 0];
    return units.filter(([unit]) => unit >= from && unit < to).length;
  }
  // An unknown token reaches to where the next known one begins.
  const known = ids
    .slice(i + 1)
    .map((id, j) => surfaceOf(parts, id, i + 1 + j))
    .find((next) => next !== undefined);
  const next = known === undefined ? -1 : (bytes?.indexOf(known, start + 1) ?? -1);
  return (next < 0 ? units.length : next) - start;
}

const BYTE = /^<0x[0-9A-F]{2}>$/;

/** What a token looks like in a word; undefined for one that stands for something else. */
function surfaceOf({ config, tokens }: TokenizerParts, id: number, index: number): string | undefined {
  const token = tokens[id];
  if (token === undefined || token === config.unk_token || id === config.unk_id) return undefined;
  if (config.byte_fallback && BYTE.test(token)) return undefined;
  const prefix = config.continuing_subword_prefix;
  const suffix = config.end_of_word_suffix;
  const bare = index > 0 && prefix && token.startsWith(prefix) ? token.slice(prefix.length) : token;
  return suffix && bare.endsWith(suffix) ? bare.slice(0, -suffix.length) : bare;
}

/** For each byte of a text's UTF-8, the units of its character. */
function unitsOfBytes(text: string): [start: number, end: number][] {
  const units: [number, number][] = [];
  let at = 0;
  for (const char of text) {
    for (let i = Buffer.byteLength(char); i > 0; i--) units.push([at, at + char.length]);
    at += char.length;
  }
  return units;
}

function trimmed(token: PlacedToken, text: string): PlacedToken {
  let { start, end } = token;
  while (start < end && text[start] === " ") start++;
  while (end > start && text[end - 1] === " ") end--;
  return { ...token, start, end };
}

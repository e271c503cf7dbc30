import type { Aggregation, Entity } from "../requests.js";
import type { PlacedToken, Tokenizer } from "../text/types.js";

/** A token of a text, and the probability of each label. */
export interface ScoredToken extends PlacedToken {
  scores: number[];
  /** Among the row's tokens. */
  index: number;
}

interface Labelled {
  label: string;
  score: number;
  tokens: readonly ScoredToken[];
}

/**
 * The entities that labelled tokens of a text make, in order, `O` and its like among them. Source: transformers,
 * pipelines/token_classification.py.
 */
export function entitiesOf(
  tokens: readonly ScoredToken[],
  {
    text,
    labels,
    aggregation,
    tokenizer,
  }: { text: string; labels: readonly string[]; aggregation: Aggregation; tokenizer: Tokenizer },
): Entity[] {
  const labelled = (tokens: readonly ScoredToken[], scores: readonly number[]): Labelled => {
    const score = scores.reduce((a, b) => Math.max(a, b));
    return { label: labels[scores.indexOf(score)], score, tokens };
  };
  if (aggregation === "none") {
    return tokens.map((token) => {
      const { start, end, index } = token;
      const word = isUnknown(token, tokenizer)
        ? text.slice(start, end)
        : (tokenizer.idToToken(token.id) ?? "");
      const { label, score } = labelled([token], token.scores);
      return { label, score, word, start, end, token: index };
    });
  }
  const parts =
    aggregation === "simple"
      ? tokens.map((token) => labelled([token], token.scores))
      : wordsOf(tokens, text, tokenizer).map((word) => labelled(word, agreed(word, aggregation)));
  return groups(parts).map((group) => {
    const tokens = group.flatMap(({ tokens }) => tokens);
    return {
      label: tagOf(group[0].label).tag,
      score: group.reduce((sum, { score }) => sum + score, 0) / group.length,
      word: writtenOut(tokens, text, tokenizer),
      start: tokens[0].start,
      end: tokens[tokens.length - 1].end,
    };
  });
}

/** The tokens as text, with what unknown ones stand for. */
function writtenOut(tokens: readonly ScoredToken[], text: string, tokenizer: Tokenizer): string {
  const parts: string[] = [];
  let known: number[] = [];
  const flush = (): void => {
    if (known.length > 0) parts.push(tokenizer.decode(known));
    known = [];
  };
  for (const token of tokens) {
    if (!isUnknown(token, tokenizer)) known.push(token.id);
    else {
      flush();
      parts.push(text.slice(token.start, token.end));
    }
  }
  flush();
  if (tokenizer.wordPiecePrefix === undefined) return parts.join("");
  // As the decoder of word pieces does where it cleans up.
  return parts.join(" ").replace(/ ([.?!,])/g, tokenizer.decoder?.cleanup === false ? " $1" : "$1");
}

function isUnknown({ id }: ScoredToken, tokenizer: Tokenizer): boolean {
  const { unk } = tokenizer.specialTokens;
  return unk !== undefined && tokenizer.idToToken(id) === unk;
}

/** Of windows that overlap, the longer entity counts, or the surer one. */
export function withoutOverlaps(entities: readonly Entity[]): Entity[] {
  const kept: Entity[] = [];
  for (const entity of [...entities].sort((a, b) => a.start - b.start)) {
    const last = kept.at(-1);
    if (!last || entity.start >= last.end || entity.start < last.start) {
      kept.push(entity);
      continue;
    }
    const more = entity.end - entity.start - (last.end - last.start);
    if (more > 0 || (more === 0 && entity.score > last.score)) kept[kept.length - 1] = entity;
  }
  return kept;
}

/** Tokens by word. Where the vocabulary does not mark the pieces of words, a word is what blanks surround. */
function wordsOf(tokens: readonly ScoredToken[], text: string, tokenizer: Tokenizer): ScoredToken[][] {
  const words: ScoredToken[][] = [];
  for (const token of tokens) {
    if (words.length > 0 && isPiece(token, text, tokenizer)) words[words.length - 1].push(token);
    else words.push([token]);
  }
  return words;
}

function isPiece({ id, start, end }: ScoredToken, text: string, tokenizer: Tokenizer): boolean {
  const token = tokenizer.idToToken(id) ?? "";
  if (token === tokenizer.specialTokens.unk) return false;
  if (tokenizer.wordPiecePrefix !== undefined)
    return [...token].length !== [...text.slice(start, end)].length;
  return start > 0 && !text.slice(start - 1, start + 1).includes(" ");
}

/** The probabilities that a word's tokens agree on. */
function agreed(tokens: readonly ScoredToken[], aggregation: "first" | "average" | "max"): number[] {
  const [first] = tokens;
  if (aggregation === "first") return first.scores;
  if (aggregation === "max") {
    const surest = ({ scores }: ScoredToken): number => scores.reduce((a, b) => Math.max(a, b));
    return tokens.reduce((best, token) => (surest(token) > surest(best) ? token : best)).scores;
  }
  return first.scores.map((_, i) => tokens.reduce((sum, { scores }) => sum + scores[i], 0) / tokens.length);
}

/** Neighbours of one label; a B- begins another entity. */
function groups(parts: readonly Labelled[]): Labelled[][] {
  const found: Labelled[][] = [];
  let last: string | undefined;
  for (const part of parts) {
    const { begins, tag } = tagOf(part.label);
    if (tag === last && !begins) found[found.length - 1].push(part);
    else found.push([part]);
    last = tag;
  }
  return found;
}

function tagOf(label: string): { begins: boolean; tag: string } {
  const [, letter, tag] = /^([BI])-(.*)$/s.exec(label) ?? [];
  return { begins: letter === "B", tag: tag ?? label };
}

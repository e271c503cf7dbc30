/** What tokens may come where, besides what the model thinks. Lengths count the decoder's first token. */
export interface TokenRuleOptions {
  /** No sequence of this many tokens comes twice. */
  noRepeatNgramSize?: number;
  /** No sequence of this many tokens of the source text comes. */
  encoderNoRepeatNgramSize?: number;
  source?: readonly number[];
  /** Sequences of tokens that never come. */
  badWords?: readonly (readonly number[])[];
  suppress?: readonly number[];
  /** Of the first token behind the start, or of the one behind `forcedFirst`. */
  suppressFirst?: readonly number[];
  forcedFirst?: number;
  /** The tokens that the last one must be among, where an answer reaches `maxLength`. */
  forcedLast?: readonly number[];
  maxLength: number;
  /** Tokens that end an answer, and how long it must be before one may come. */
  stopTokens: readonly number[];
  minLength?: number;
}

/** Takes the tokens away that can't follow `tokens` (what the decoder has seen): their scores become -Infinity. */
export type TokenRules = (scores: Float32Array, tokens: readonly number[]) => void;

/** The rules of transformers' generate (generation/logits_process.py), in its order. */
export function tokenRules(options: TokenRuleOptions): TokenRules {
  const { noRepeatNgramSize, encoderNoRepeatNgramSize, source = [] } = options;
  const copied = encoderNoRepeatNgramSize ? followers(source, encoderNoRepeatNgramSize) : undefined;
  return (scores, tokens) => {
    const forbid = (ids: Iterable<number>): void => {
      for (const id of ids) if (id < scores.length) scores[id] = -Infinity;
    };
    if (noRepeatNgramSize) forbid(repeated(tokens, noRepeatNgramSize));
    if (copied && encoderNoRepeatNgramSize)
      forbid(copied.get(ending(tokens, encoderNoRepeatNgramSize - 1)) ?? []);
    forbid(completions(options.badWords ?? [], tokens));
    if (tokens.length < (options.minLength ?? 0)) forbid(options.stopTokens);
    force(options, scores, tokens);
    forbid(options.suppress ?? []);
    const first = options.forcedFirst === undefined ? 1 : 2;
    if (tokens.length === first) forbid(options.suppressFirst ?? []);
  };
}

function force(
  { forcedFirst, forcedLast, maxLength }: TokenRuleOptions,
  scores: Float32Array,
  { length }: readonly number[],
): void {
  const only = (ids: readonly number[]): void => {
    scores.fill(-Infinity);
    for (const id of ids) if (id < scores.length) scores[id] = 0;
  };
  if (forcedFirst !== undefined && length === 1) only([forcedFirst]);
  if (forcedLast !== undefined && length === maxLength - 1) only(forcedLast);
}

/** Tokens that would end a sequence of `size` that is there already. */
function repeated(tokens: readonly number[], size: number): number[] {
  const found: number[] = [];
  const end = tokens.length - size + 1;
  for (let i = 0; i < end; i++) {
    let same = true;
    for (let j = 0; same && j < size - 1; j++) same = tokens[i + j] === tokens[end + j];
    if (same) found.push(tokens[i + size - 1]);
  }
  return found;
}

/** What follows each sequence of `size` - 1 tokens in a text. */
function followers(tokens: readonly number[], size: number): Map<string, number[]> {
  const map = new Map<string, number[]>();
  for (let i = 0; i + size <= tokens.length; i++) {
    const key = tokens.slice(i, i + size - 1).join();
    map.set(key, [...(map.get(key) ?? []), tokens[i + size - 1]]);
  }
  return map;
}

function ending(tokens: readonly number[], count: number): string {
  return count === 0 ? "" : tokens.slice(-count).join();
}

function* completions(words: readonly (readonly number[])[], tokens: readonly number[]): Iterable<number> {
  for (const word of words) {
    const before = word.length - 1;
    if (word.length > tokens.length) continue;
    let matches = true;
    for (let i = 0; matches && i < before; i++) matches = word[i] === tokens[tokens.length - before + i];
    if (matches) yield word[before];
  }
}

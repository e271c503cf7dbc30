import { fileURLToPath } from "node:url";
import { Detokenizer } from "../../../../src/core/text/detokenizer.js";
import { ConfigurationTable } from "../../../../src/core/text/grammar/configuration.js";
import type { Expression } from "../../../../src/core/text/grammar/expression.js";
import { type Grammar, GrammarVocabulary } from "../../../../src/core/text/grammar/index.js";
import { compileProgram } from "../../../../src/core/text/grammar/program.js";
import { loadTokenizer } from "../../../../src/core/text/tokenizer.js";
import type { Tokenizer } from "../../../../src/core/text/types.js";

/** A tokenizer of the goldens, with the token that ends its answers. */
export async function vocabularyOf(golden: string): Promise<Model> {
  const directory = fileURLToPath(new URL(`../../../golden/${golden}`, import.meta.url));
  const tokenizer = await loadTokenizer(directory);
  const stop = tokenizer.tokenToId(tokenizer.specialTokens.eos!)!;
  // Models pad their rows of logits.
  const size = tokenizer.vocabularySize + 45;
  return {
    tokenizer,
    stop,
    size,
    vocabulary: new GrammarVocabulary(tokenizer, { size, stopTokens: [stop] }),
  };
}

export interface Model {
  tokenizer: Tokenizer;
  stop: number;
  size: number;
  vocabulary: GrammarVocabulary;
}

/** mulberry32: the same numbers for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function allowedTokens(mask: Int32Array): number[] {
  const tokens: number[] = [];
  mask.forEach((word, index) => {
    for (let bit = 0; bit < 32; bit++) if ((word >> bit) & 1) tokens.push(index * 32 + bit);
  });
  return tokens;
}

/**
 * An answer of a model without a mind: any allowed token, though rather one that ends something, the more so the longer
 * it gets. undefined when it did not come to an end.
 */
export function randomAnswer(grammar: Grammar, model: Model, random: () => number): string | undefined {
  using matcher = grammar.matcher();
  const tokens: number[] = [];
  for (let length = 0; length < 400; length++) {
    const allowed = allowedTokens(matcher.mask());
    if (allowed.includes(model.stop) && (matcher.complete || random() < 0.3 + length / 100)) {
      return textOf(tokens, model);
    }
    const usual = allowed.filter((token) => token !== model.stop);
    const ending = usual.filter((token) => /^["\]}]|^[0-9]$/.test(model.vocabulary.bytesOf(token)!));
    const chosen = ending.length > 0 && random() < 0.3 + length / 100 ? ending : usual;
    const token = chosen[Math.floor(random() * chosen.length)];
    matcher.accept(token);
    tokens.push(token);
  }
  return undefined;
}

/** The text of tokens behind a prompt. */
function textOf(tokens: readonly number[], { tokenizer }: Model): string {
  const context = tokenizer.encode("a", { addSpecialTokens: false });
  const detokenizer = new Detokenizer(tokenizer, { context });
  return tokens.map((token) => detokenizer.push(token)).join("") + detokenizer.flush();
}

/** Tells whether an expression matches a whole text, byte by byte. */
export function recognizer(expression: Expression): (text: string) => boolean {
  const table = new ConfigurationTable(compileProgram(expression));
  return (text) => {
    let at: typeof table.start | undefined = table.start;
    for (const byte of Buffer.from(text, "utf8")) at = at && table.step(at, byte);
    return at?.accepting ?? false;
  };
}

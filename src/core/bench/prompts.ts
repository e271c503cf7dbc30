import { HfmsError, throwIfAborted } from "../errors.js";
import type { TokenizeEvent } from "../requests.js";
import { createRandom, type Random } from "../runtime/random.js";
import { sentences } from "../text/english.js";

/** Tokens of each text, special tokens included, as the engine tells them. */
type Tokenize = (texts: string[]) => AsyncIterable<TokenizeEvent>;

/** Short words to make up what is missing; most vocabularies have each of them as one token. */
const FILLERS = [" the", " of", " and", " a", " in", " I", ".", ",", "!", "a", "e", "\n"];
/** Beginnings that are tried before a length counts as out of reach. */
const TRIES = 20;

/**
 * Makes prompts of English of exactly the asked lengths. Each begins with a number of its own, so no two share more than
 * the first few tokens, and nothing that is computed for one can be used for another.
 */
export class PromptMaker {
  readonly #tokenize: Tokenize;
  readonly #random: Random;
  #made = 0;

  constructor(tokenize: Tokenize, seed: number) {
    this.#tokenize = tokenize;
    this.#random = createRandom(seed);
  }

  /** `count` prompts of `tokens` tokens each. */
  async make(count: number, tokens: number, signal?: AbortSignal): Promise<string[]> {
    const prompts: string[] = [];
    while (prompts.length < count) {
      throwIfAborted(signal);
      prompts.push(await this.#one(tokens));
    }
    return prompts;
  }

  async #one(tokens: number): Promise<string> {
    for (let i = 0; i < TRIES; i++) {
      const text = await exactText(this.#tokenize, this.#text(tokens), tokens);
      if (text !== undefined) return text;
    }
    throw new HfmsError(
      "invalid_request",
      `no English text of exactly ${tokens} tokens was found for this model`,
      { hint: "ask for a few tokens more", param: "promptTokens" },
    );
  }

  /** A numbered text that is surely long enough: no token is longer than one of its words. */
  #text(words: number): string {
    const number = 1000 + ((7919 * this.#made++) % 9000);
    return `${number} ${shuffledWords(words, this.#random)}`;
  }
}

/** Sentences in random order, to at least so many words. */
export function shuffledWords(words: number, random: Random): string {
  const parts: string[] = [];
  for (let count = 0; count < words; ) {
    const next = sentences[Math.floor(random() * sentences.length)];
    parts.push(next);
    count += next.split(" ").length;
  }
  return parts.join(" ");
}

/** The beginning of a text, made up to exactly so many tokens; undefined where that fails. */
async function exactText(tokenize: Tokenize, text: string, tokens: number): Promise<string | undefined> {
  const words = text.split(" ");
  const count = async (text: string): Promise<number> => (await lengths(tokenize([text])))[0];
  const first = (n: number): string => words.slice(0, n).join(" ");
  // Most words that fit: the number of tokens grows with the words.
  let low = 0;
  let high = Math.min(words.length, tokens);
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((await count(first(middle))) <= tokens) low = middle;
    else high = middle - 1;
  }
  let made = first(low);
  for (let have = await count(made); have !== tokens; ) {
    const longer = FILLERS.map((filler) => made + filler);
    const counts = await lengths(tokenize(longer));
    const step = counts.findIndex((n) => n > have && n <= tokens);
    if (step < 0) return undefined;
    made = longer[step];
    have = counts[step];
  }
  return made === "" ? undefined : made;
}

async function lengths(events: AsyncIterable<TokenizeEvent>): Promise<number[]> {
  const found: number[] = [];
  for await (const event of events) if (event.type === "tokens") found.push(event.ids.length);
  return found;
}

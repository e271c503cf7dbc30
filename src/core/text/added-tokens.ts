import type { AddedTokenConfig } from "./types.js";

/** A stretch of text, or a token that stood in it. `start` is where it began in the text that was split. */
export type Section =
  | { text: string; start: number; id?: undefined }
  | { id: number; start: number; end: number };

const WORD_CHARACTER = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;

/**
 * Finds added tokens in a text: leftmost, then longest. Candidates are found by their first characters and checked
 * by length, so the cost grows with the text and not with the number of tokens.
 */
export class AddedTokenFinder {
  readonly #tokens = new Map<string, AddedTokenConfig>();
  readonly #lengths = new Map<string, number[]>();
  readonly #start: RegExp | undefined;

  /** `contentOf` gives the text to look for: the content, or its normalized form. */
  constructor(tokens: readonly AddedTokenConfig[], contentOf: (token: AddedTokenConfig) => string) {
    for (const token of tokens) {
      const content = contentOf(token);
      if (content === "") continue;
      this.#tokens.set(content, token);
      const lengths = this.#lengths.get(content[0]) ?? [];
      if (!lengths.includes(content.length)) lengths.push(content.length);
      this.#lengths.set(
        content[0],
        lengths.sort((a, b) => b - a),
      );
    }
    const codes = [...this.#lengths.keys()].map(
      (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
    // Without the u flag: first characters are UTF-16 units, halves of a pair included.
    this.#start = codes.length > 0 ? new RegExp(`[${codes.join("")}]`, "g") : undefined;
  }

  split(text: string): Section[] {
    if (!this.#start) return text === "" ? [] : [{ text, start: 0 }];
    const sections: Section[] = [];
    let end = 0;
    this.#start.lastIndex = 0;
    for (let hit = this.#start.exec(text); hit; hit = this.#start.exec(text)) {
      const token = this.#at(text, hit.index);
      if (!token) continue;
      let from = hit.index;
      let to = from + token.length;
      if (token.config.single_word && !standsAlone(text, from, to)) continue;
      if (token.config.lstrip) while (from > end && isSpace(text, from - 1)) from--;
      if (token.config.rstrip) while (to < text.length && isSpace(text, to)) to++;
      if (from > end) sections.push({ text: text.slice(end, from), start: end });
      sections.push({ id: token.config.id, start: from, end: to });
      end = to;
      this.#start.lastIndex = to;
    }
    if (end < text.length) sections.push({ text: text.slice(end), start: end });
    return sections;
  }

  #at(text: string, start: number): { config: AddedTokenConfig; length: number } | undefined {
    for (const length of this.#lengths.get(text[start]) ?? []) {
      const config = this.#tokens.get(text.slice(start, start + length));
      if (config && start + length <= text.length) return { config, length };
    }
    return undefined;
  }
}

function standsAlone(text: string, from: number, to: number): boolean {
  const before = from > 0 ? [...text.slice(Math.max(0, from - 2), from)].at(-1)! : "";
  const after = to < text.length ? String.fromCodePoint(text.codePointAt(to)!) : "";
  return !WORD_CHARACTER.test(before) && !WORD_CHARACTER.test(after);
}

function isSpace(text: string, index: number): boolean {
  return /\p{White_Space}/u.test(text[index]);
}

import { HfmsError } from "../errors.js";
import type { Tokenizer } from "../text/types.js";

/** How languages are written as tokens: NLLB's `eng_Latn`, mBART's `en_XX`, M2M100's `__en__`. */
const LANGUAGE = /^(?:([a-z]{3}_[A-Z][a-z]{3})|([a-z]{2}_[A-Z]{2})|__([a-z]{2,4})__)$/;

/** Found once for each tokenizer: they are 50 to 200 among a quarter of a million tokens. */
const known = new WeakMap<Tokenizer, ReadonlyMap<string, number>>();

/** Ids of the tokens that stand for languages, by their codes. */
export function languageTokens(tokenizer: Tokenizer): ReadonlyMap<string, number> {
  const before = known.get(tokenizer);
  if (before) return before;
  const languages = new Map<string, number>();
  for (let id = 0; id < tokenizer.vocabularySize; id++) {
    if (!tokenizer.isAdded(id)) continue;
    const match = LANGUAGE.exec(tokenizer.idToToken(id) ?? "");
    if (match) languages.set(match[1] ?? match[2] ?? match[3], id);
  }
  known.set(tokenizer, languages);
  return languages;
}

/** The token of a language: its code, or the beginning of one code alone. Throws invalid_request. */
export function languageToken(
  languages: ReadonlyMap<string, number>,
  code: string,
  param: "sourceLanguage" | "targetLanguage",
): number {
  const exact = languages.get(code);
  if (exact !== undefined) return exact;
  const begun = [...languages.keys()].filter((name) => name.startsWith(`${code}_`));
  if (begun.length === 1) return languages.get(begun[0]) as number;
  throw unknownLanguage(`"${code}" is not a language of the model`, languages, param, code);
}

export function unknownLanguage(
  message: string,
  languages: ReadonlyMap<string, number>,
  param: "sourceLanguage" | "targetLanguage",
  code = "",
): HfmsError {
  const near = [...languages.keys()].filter((name) => name.startsWith(code.slice(0, 2)));
  const shown = (near.length > 0 ? near : [...languages.keys()]).slice(0, 8);
  const hint = `it has ${languages.size} languages, ${shown.join(", ")} among them`;
  return new HfmsError("invalid_request", message, { hint, param });
}

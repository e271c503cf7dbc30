import type { TaggedConfig } from "./types.js";

/** A step of a pre-tokenizer: each match of the pattern is a word. */
export function split(regex: string): TaggedConfig {
  return { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
}

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const START = "[^\\r\\n\\p{L}\\p{N}]?";
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";

interface Cl100k {
  numbers?: string;
  letters?: string;
  others?: string;
  contraction?: string;
  spaces?: string;
}

/** The patterns of OpenAI's cl100k family: they differ in how many digits make a word. */
export function cl100k({
  numbers = "\\p{N}",
  letters = "\\p{L}+",
  others = " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*",
  contraction = `${CONTRACTION}|`,
  spaces = SPACES,
}: Cl100k): TaggedConfig {
  return split(`${contraction}${START}${letters}|${numbers}|${others}|${spaces}`);
}

/** The patterns of OpenAI's o200k family: words also break where the case changes. */
export function o200k(numbers: string, contraction = `${CONTRACTION}?`): TaggedConfig {
  return split(
    `${START}${UPPER}*${LOWER}+${contraction}|${START}${UPPER}+${LOWER}*${contraction}|${numbers}` +
      `| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`,
  );
}

/** Kimi's: o200k without Han characters, which are words of their own. */
export function kimi(): TaggedConfig {
  const notHan = "(?!\\p{Script=Han})";
  const upper = `(?:${notHan}${UPPER})`;
  const lower = `(?:${notHan}${LOWER})`;
  const contraction = `${CONTRACTION}?`;
  return split(
    `\\p{Script=Han}+|${START}${upper}*${lower}+${contraction}|${START}${upper}+${lower}*${contraction}` +
      `|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`,
  );
}

/** The last step of DeepSeek's third tokenizer and of those after it. */
export function deepseek3(punctuation = " ?[\\p{P}\\p{S}]+[\\r\\n]*", spaces = SPACES): TaggedConfig {
  return split(
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+" +
      `|${punctuation}|${spaces}`,
  );
}

export const CJK_TO_HANGUL = "[一-龥ࠀ-一가-퟿]+";

/** Letters of the scripts with case, as DeepSeek's first tokenizer lists them. Escaped: editors that normalize would change it. */
export const DEEPSEEK_LETTERS =
  "A-Za-z\u00B5\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF" +
  "\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5" +
  "\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5\u13F8-\u13FD\u1C90-\u1CBA" +
  "\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D\u1F20-\u1F45" +
  "\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE" +
  "\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC" +
  "\u2102\u2107\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139" +
  "\u213C-\u213F\u2145-\u2149\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3" +
  "\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06" +
  "\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A\u{10400}-\u{1044F}\u{104B0}-\u{104D3}\u{104D8}-\u{104FB}" +
  "\u{10C80}-\u{10CB2}\u{10CC0}-\u{10CF2}\u{118A0}-\u{118DF}\u{1E900}-\u{1E943}";

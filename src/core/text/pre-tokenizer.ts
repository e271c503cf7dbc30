import { HfmsError } from "../errors.js";
import { toByteLevel } from "./byte-level.js";
import { type CompilePattern, literalPattern, patternOf } from "./patterns.js";
import type { TaggedConfig } from "./types.js";

/** Splits a piece of normalized text into words; `first` says that the piece begins the whole text. */
export type PreTokenize = (text: string, first: boolean) => string[];

export interface PreTokenizer {
  split: PreTokenize;
  /** What `split` does, one after the other. */
  steps: readonly PreTokenize[];
  /** The words must be read as bytes of the byte-level alphabet (the model does it, on ids). */
  byteLevel: boolean;
}

type Behavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

const WORD = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}";
const PUNCTUATION = "\\p{P}!-\\/:-@\\[-`\\{-~";

/** GPT-2's pattern, as huggingface/tokenizers has it (\s there is Unicode White_Space). */
const GPT2 =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/**
 * Compiles tokenizer.json's `pre_tokenizer`. (The library's own ones leave out Split's `behavior`, Metaspace's `split`
 * and digits and letters beyond ASCII.)
 */
export function compilePreTokenizer(
  config: TaggedConfig | null | undefined,
  compile: CompilePattern,
): PreTokenizer {
  const steps = flatten(config);
  const byteLevel = steps.at(-1)?.type === "ByteLevel";
  const splits = steps.map((step, index) => {
    const split = compileStep(step, compile);
    // Steps after ByteLevel (Falcon has them) see its alphabet, so here the words are written out in it.
    if (step.type !== "ByteLevel" || (byteLevel && index === steps.length - 1)) return split;
    return (text: string, first: boolean) => split(text, first).map(toByteLevel);
  });
  if (splits.length === 0) return { split: (text) => [text], steps: splits, byteLevel };
  if (splits.length === 1) return { split: splits[0], steps: splits, byteLevel };
  const [head, ...tail] = splits;
  return {
    byteLevel,
    steps: splits,
    split: (text, first) =>
      tail.reduce(
        (words, split) => words.flatMap((word, index) => split(word, first && index === 0)),
        head(text, first),
      ),
  };
}

function flatten(config: TaggedConfig | null | undefined): TaggedConfig[] {
  if (!config) return [];
  if (config.type !== "Sequence") return [config];
  return ((config.pretokenizers ?? []) as TaggedConfig[]).flatMap(flatten);
}

function compileStep(config: TaggedConfig, compile: CompilePattern): PreTokenize {
  switch (config.type) {
    case "ByteLevel": {
      const prefix = config.add_prefix_space !== false;
      const regex = config.use_regex !== false;
      return (text) => {
        if (prefix && !text.startsWith(" ")) text = ` ${text}`;
        return regex ? (text.match(GPT2) ?? []) : [text];
      };
    }
    case "BertPreTokenizer": {
      const words = new RegExp(`[^\\p{White_Space}${PUNCTUATION}]+|[${PUNCTUATION}]`, "gu");
      return (text) => text.match(words) ?? [];
    }
    case "Whitespace": {
      const words = new RegExp(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, "gu");
      return (text) => text.match(words) ?? [];
    }
    case "WhitespaceSplit":
      return (text) => text.match(/\P{White_Space}+/gu) ?? [];
    case "Digits":
      return config.individual_digits
        ? (text) => text.match(/\p{N}|\P{N}+/gu) ?? []
        : (text) => text.match(/\p{N}+|\P{N}+/gu) ?? [];
    case "Punctuation":
      return splitter(
        new RegExp(`[${PUNCTUATION}]`, "gu"),
        (config.behavior ?? "Isolated") as Behavior,
        false,
      );
    case "CharDelimiterSplit":
      return (text) => text.split(String(config.delimiter)).filter((word) => word !== "");
    case "FixedLength":
      return fixedLength(Number(config.length ?? 5));
    case "Split":
      return splitter(patternOf(config, compile), config.behavior as Behavior, config.invert === true);
    case "Metaspace":
      return metaspace(config);
    default:
      throw unsupported(`"${config.type}"`);
  }
}

/** Rust's `NormalizedString::split`: what happens to the matches of a pattern; `invert` swaps matches and the rest. */
function splitter(pattern: RegExp, behavior: Behavior, invert: boolean): PreTokenize {
  return (text) => {
    const words: string[] = [];
    let end = 0;
    let wasMatch = false;
    const piece = (word: string, match: boolean) => {
      if (word === "") return;
      const joins =
        behavior === "Contiguous"
          ? match === wasMatch
          : behavior === "MergedWithPrevious"
            ? match && !wasMatch
            : behavior === "MergedWithNext" && wasMatch && !match;
      if (joins && words.length > 0) words[words.length - 1] += word;
      else if (!match || behavior !== "Removed") words.push(word);
      wasMatch = match;
    };
    for (const match of text.matchAll(pattern)) {
      piece(text.slice(end, match.index), invert);
      piece(match[0], !invert);
      end = match.index + match[0].length;
    }
    piece(text.slice(end), invert);
    return words;
  };
}

function metaspace(config: TaggedConfig): PreTokenize {
  const mark = String(config.replacement ?? "▁");
  const legacy = config.add_prefix_space === false ? "never" : "always";
  const scheme = String(config.prepend_scheme ?? legacy).toLowerCase();
  const words = splitter(literalPattern(mark), "MergedWithNext", false);
  return (text, first) => {
    let marked = text.replaceAll(" ", mark);
    const prepend = scheme === "always" || (scheme === "first" && first);
    if (prepend && !marked.startsWith(mark)) marked = mark + marked;
    return config.split === false ? [marked] : words(marked, first);
  };
}

function fixedLength(length: number): PreTokenize {
  return (text) => {
    const chars = [...text];
    return Array.from({ length: Math.ceil(chars.length / length) }, (_, i) =>
      chars.slice(i * length, (i + 1) * length).join(""),
    );
  };
}

function unsupported(what: string): HfmsError {
  return new HfmsError("unsupported_model", `the tokenizer's pre-tokenizer ${what} is not supported`);
}

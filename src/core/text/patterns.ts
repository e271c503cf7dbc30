import type { TaggedConfig } from "./types.js";

/** A pattern of tokenizer.json (Oniguruma's syntax) as a global Unicode RegExp. */
export type CompilePattern = (regex: string) => RegExp;

/** What is used of @huggingface/tokenizers: its Split rewrites Oniguruma's syntax and keeps the result. */
interface Library {
  SplitPreTokenizer: new (config: TaggedConfig) => { pattern: RegExp | null };
}

/**
 * Reads patterns with @huggingface/tokenizers, which is loaded only if one of the configs has a pattern. (Its types
 * can't be imported: their relative imports have no extension, so nodenext resolves none of them.)
 */
export async function loadPatterns(...configs: unknown[]): Promise<CompilePattern> {
  if (!JSON.stringify(configs).includes('"Regex":')) return (regex) => new RegExp(regex, "gu");
  const { SplitPreTokenizer } = (await import("@huggingface/tokenizers")) as unknown as Library;
  return (regex) => {
    const { pattern } = new SplitPreTokenizer({ type: "Split", pattern: { Regex: regex }, invert: false });
    return pattern ?? new RegExp(regex, "gu");
  };
}

/** The `pattern` of a part of tokenizer.json: a regex, or a string to be taken literally. */
export function patternOf(config: TaggedConfig, compile: CompilePattern): RegExp {
  const { Regex, String: literal } = (config.pattern ?? {}) as { Regex?: string; String?: string };
  if (Regex !== undefined) return compile(Regex);
  return literalPattern(literal ?? "");
}

/** An empty literal matches nothing. */
export function literalPattern(literal: string): RegExp {
  return new RegExp(literal.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&") || "(?!)", "gu");
}

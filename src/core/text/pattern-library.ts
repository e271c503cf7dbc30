import type { TaggedConfig } from "./types.js";

/**
 * What is used of @huggingface/tokenizers: its reading of Oniguruma patterns.
 * Its types can't be imported: their relative imports have no extension, so nodenext resolves none of them.
 */
export interface PatternLibrary {
  SplitPreTokenizer: new (config: TaggedConfig) => { pattern: RegExp | null };
  ReplaceNormalizer: new (config: TaggedConfig) => { normalize(text: string): string };
}

export async function loadPatternLibrary(): Promise<PatternLibrary> {
  return (await import("@huggingface/tokenizers")) as unknown as PatternLibrary;
}

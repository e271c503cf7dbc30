import { HfmsError } from "../errors.js";
import type { LoadedModel } from "../model-pool.js";
import type { GenerateRequest } from "../requests.js";
import type { Grammar, GrammarVocabulary } from "../text/grammar/index.js";
import type { Tokenizer } from "../text/types.js";
import type { Prompt } from "./prompt.js";

/** A tokenizer's vocabulary is sorted once for all formats, apart for each set of special tokens that are kept. */
const vocabularies = new WeakMap<Tokenizer, Map<string, GrammarVocabulary>>();

/** What holds the answers to the format that was asked for; undefined where none was. Compiled before anything runs. */
export async function compileAnswerFormat(
  { tokenizer, manifest }: LoadedModel,
  { format, keep }: Prompt,
  { ignoreEos }: GenerateRequest,
  signal?: AbortSignal,
): Promise<Grammar | undefined> {
  if (!format) return undefined;
  if (ignoreEos) {
    throw new HfmsError("invalid_request", "an answer with a format ends where the format does", {
      hint: "leave out ignoreEos",
      param: "ignoreEos",
    });
  }
  const { compileGrammar, GrammarVocabulary } = await import("../text/grammar/index.js");
  const known = vocabularies.get(tokenizer) ?? new Map<string, GrammarVocabulary>();
  vocabularies.set(tokenizer, known);
  const key = [...(keep ?? [])].sort((a, b) => a - b).join();
  let vocabulary = known.get(key);
  if (!vocabulary) {
    const { info, stopTokens } = manifest;
    vocabulary = new GrammarVocabulary(tokenizer, { size: info.vocabularySize, stopTokens, keep });
    known.set(key, vocabulary);
  }
  return compileGrammar(format, vocabulary, signal);
}

import { HfmsError, throwIfAborted } from "../../errors.js";
import type { OutputFormat } from "../../requests.js";
import { formatExpression } from "./format.js";
import { type Grammar, ProgramGrammar } from "./matcher.js";
import { compileProgram } from "./program.js";
import type { GrammarVocabulary } from "./vocabulary.js";

export type { Grammar } from "./matcher.js";
export { GrammarVocabulary } from "./vocabulary.js";

/** Compiled formats that are kept for each vocabulary. */
const MAX_GRAMMARS = 64;

const compiled = new WeakMap<GrammarVocabulary, Map<string, Grammar>>();

/**
 * Compiles a format; the same format again costs nothing. Throws invalid_request naming the keyword that is not
 * supported, with its JSON pointer, or the syntax error with its position.
 */
export async function compileGrammar(
  format: OutputFormat,
  vocabulary: GrammarVocabulary,
  signal?: AbortSignal,
): Promise<Grammar> {
  throwIfAborted(signal);
  const grammars = compiled.get(vocabulary) ?? new Map<string, Grammar>();
  compiled.set(vocabulary, grammars);
  const key = shallow(() => JSON.stringify(format));
  let grammar = grammars.get(key);
  if (!grammar) {
    const program = shallow(() => compileProgram(formatExpression(format)));
    const made = new ProgramGrammar(program, vocabulary, await vocabulary.trie());
    await made.prepare(signal);
    grammar = made;
  }
  grammars.delete(key);
  grammars.set(key, grammar);
  if (grammars.size > MAX_GRAMMARS) grammars.delete(grammars.keys().next().value!);
  return grammar;
}

/** What is nested in thousands of levels exhausts the stack: that is the request's fault. */
function shallow<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new HfmsError("invalid_request", "the output format is nested too deeply", {
      param: "format",
      cause: error,
    });
  }
}

/** JSON Schema, draft 2020-12; `true` allows everything. */
export type JsonSchema = boolean | { [keyword: string]: unknown };

/**
 * What an answer must look like; every token is chosen so that it does. Formats are parts that can be put together:
 * a tool call is a sequence of a text, a schema and a text.
 */
export type OutputFormat =
  /** Any JSON object. */
  | { type: "json_object" }
  | { type: "json_schema"; schema: JsonSchema }
  /** The whole answer matches. */
  | { type: "regex"; pattern: string }
  /** EBNF as llama.cpp and XGrammar write it (GBNF); the rule `root` is the answer. */
  | { type: "grammar"; grammar: string }
  /** One of these texts. */
  | { type: "choice"; choices: string[] }
  /** These words. */
  | { type: "text"; text: string }
  /** Any text that does not contain one of the words of `until`. */
  | { type: "free_text"; until?: string[] }
  | { type: "sequence"; parts: OutputFormat[] }
  | { type: "any_of"; options: OutputFormat[] }
  /** `min` to `max` times; `separator` stands between. */
  | { type: "repeat"; part: OutputFormat; min: number; max?: number; separator?: string };

import * as Flags from "@oclif/core/flags";
import { HfmsError, type JsonSchema, type OutputFormat } from "../core/index.js";
import { readJson } from "./json-input.js";
import { readText } from "./text-input.js";

const helpGroup = "FORMAT";

/** What an answer must look like; at most one of them. */
export const formatFlags = {
  "json-object": Flags.boolean({ helpGroup, summary: "answer with a JSON object" }),
  schema: Flags.string({
    helpGroup,
    helpValue: "<file>",
    summary: "answer with JSON that this JSON Schema allows: a file, or the schema itself, {…}",
  }),
  regex: Flags.string({
    helpGroup,
    helpValue: "<pattern>",
    summary: "answer with a text that this regular expression matches as a whole",
  }),
  grammar: Flags.string({
    helpGroup,
    helpValue: "<file>",
    summary: "answer with a text of this EBNF grammar: a file, or the grammar itself, root ::= …",
  }),
  choice: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpGroup,
    helpValue: "<text>",
    summary: "answer with one of these texts; given once for each",
  }),
};

export interface FormatFlagValues {
  "json-object"?: boolean;
  schema?: string;
  regex?: string;
  grammar?: string;
  choice?: string[];
}

/** The format that the flags ask for; files are read. Throws invalid_request and file_error. */
export async function outputFormat(
  flags: FormatFlagValues,
  signal: AbortSignal,
): Promise<OutputFormat | undefined> {
  const given = (Object.keys(formatFlags) as (keyof FormatFlagValues)[]).filter(
    (name) => flags[name] !== undefined && flags[name] !== false,
  );
  if (given.length > 1) {
    throw new HfmsError("invalid_request", `--${given[0]} and --${given[1]} don't go together`, {
      hint: "an answer has one format; leave one of them out",
      param: given[1],
    });
  }
  if (flags["json-object"]) return { type: "json_object" };
  if (flags.schema !== undefined) {
    return { type: "json_schema", schema: await readSchema(flags.schema, signal) };
  }
  if (flags.regex !== undefined) return { type: "regex", pattern: filled(flags.regex, "regex") };
  if (flags.grammar !== undefined) {
    const inline = flags.grammar.includes("::=");
    const grammar = inline ? flags.grammar : await readText(flags.grammar, signal);
    return { type: "grammar", grammar: filled(grammar, "grammar") };
  }
  if (flags.choice === undefined) return undefined;
  return { type: "choice", choices: flags.choice.map((choice) => filled(choice, "choice")) };
}

async function readSchema(typed: string, signal: AbortSignal): Promise<JsonSchema> {
  const schema = await readJson(typed, { flag: "schema", signal });
  if (typeof schema === "boolean" || (typeof schema === "object" && schema && !Array.isArray(schema))) {
    return schema as JsonSchema;
  }
  throw new HfmsError("invalid_request", "--schema is no JSON Schema: it must be an object", {
    hint: 'for example {"type":"object","properties":{"name":{"type":"string"}},"required":["name"]}',
    param: "schema",
  });
}

function filled(text: string, param: string): string {
  if (text.trim() !== "") return text;
  throw new HfmsError("invalid_request", `--${param} is empty`, { hint: "give it a text", param });
}

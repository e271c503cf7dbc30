import { HfmsError } from "../../errors.js";
import type { OutputFormat } from "../../requests.js";
import { anyText, automatonOf, difference } from "./automaton.js";
import { anyCharacter } from "./code-points.js";
import { parseEbnf } from "./ebnf.js";
import { choice, type Expression, oneOf, optional, repeat, sequence, text } from "./expression.js";
import { schemaExpression } from "./json-schema.js";
import { parseRegex } from "./regex.js";

/** The texts of a format. Throws invalid_request for what can't be used. */
export function formatExpression(format: OutputFormat): Expression {
  switch (format.type) {
    case "json_object":
      return schemaExpression({ type: "object" });
    case "json_schema":
      return schemaExpression(format.schema);
    case "regex":
      return part(format.type, parseRegex(format.pattern));
    case "grammar":
      return parseEbnf(format.grammar);
    case "choice":
      if (format.choices.length === 0) throw refuse("a choice needs at least one text");
      return choice(...[...new Set(format.choices)].map(text));
    case "text":
      return text(format.text);
    case "free_text":
      return part(format.type, freeText(format.until ?? []));
    case "sequence":
      return sequence(...format.parts.map(formatExpression));
    case "any_of":
      if (format.options.length === 0) throw refuse("any_of needs at least one option");
      return choice(...format.options.map(formatExpression));
    case "repeat":
      return repeated(format);
    default:
      throw refuse(`there is no output format "${(format as { type?: unknown }).type}"`);
  }
}

/** A part of its own: it isn't mixed with its neighbours, so that the masks of its states are few. */
function part(name: string, expression: Expression): Expression {
  return { kind: "rule", rule: { name, expression } };
}

function freeText(until: readonly string[]): Expression {
  if (until.includes("")) throw refuse("a word of `until` is empty");
  if (until.length === 0) return { kind: "automaton", automaton: anyText, spelling: "plain" };
  const any = repeat(oneOf(anyCharacter));
  const ended = automatonOf(sequence(any, choice(...until.map(text)), any));
  return { kind: "automaton", automaton: difference(anyText, ended), spelling: "plain" };
}

function repeated(format: OutputFormat & { type: "repeat" }): Expression {
  const { min, max = Number.POSITIVE_INFINITY, separator = "" } = format;
  if (!(Number.isInteger(min) && min >= 0 && max >= min)) {
    throw refuse(`a part can't be repeated ${min} to ${max} times`);
  }
  if (max === 0) return text("");
  const item = formatExpression(format.part);
  if (separator === "") return repeat(item, min, max);
  const several = sequence(item, repeat(sequence(text(separator), item), Math.max(0, min - 1), max - 1));
  return min === 0 ? optional(several) : several;
}

function refuse(message: string): HfmsError {
  return new HfmsError("invalid_request", message, { param: "format" });
}

import { type Automaton, anyText, automatonOf, intersection } from "./automaton.js";
import { anyCharacter } from "./code-points.js";
import { type Expression, oneOf, repeat, sequence, text } from "./expression.js";
import { anyString, stringCharacter } from "./json-text.js";
import { searchAutomaton } from "./regex.js";
import { refuse } from "./schema-document.js";
import type { StringShape } from "./shape.js";
import { formatAutomaton, formatNames } from "./string-format.js";

/** JSON strings of a shape. Lengths count characters (code points). */
export function stringExpression(shape: StringShape): Expression {
  const { minLength, maxLength, patterns, formats } = shape;
  if (patterns.length === 0 && formats.length === 0) {
    if (minLength === 0 && maxLength === Number.POSITIVE_INFINITY) return anyString;
    return quoted(repeat(stringCharacter, minLength, maxLength));
  }
  return quoted({ kind: "automaton", automaton: stringAutomaton(shape), spelling: "json" });
}

const automata = new WeakMap<StringShape, Automaton>();

/** The texts of a shape. */
export function stringAutomaton(shape: StringShape): Automaton {
  const known = automata.get(shape);
  if (known) return known;
  const { minLength, maxLength, patterns, formats } = shape;
  const parts = [
    ...patterns.map(({ pattern, at }) => searchAutomaton(pattern, at)),
    ...formats.map(({ format, at }) => named(format, at)),
  ];
  if (minLength > 0 || maxLength !== Number.POSITIVE_INFINITY) {
    parts.push(ofLength(minLength, maxLength));
  }
  const automaton = parts.reduce(intersection, anyText);
  automata.set(shape, automaton);
  return automaton;
}

function named(format: string, at: string): Automaton {
  const automaton = formatAutomaton(format);
  if (automaton) return automaton;
  throw refuse(at, `the format "${format}" is not supported`, `these are: ${formatNames.join(", ")}`);
}

function ofLength(min: number, max: number): Automaton {
  return automatonOf(repeat(oneOf(anyCharacter), min, max));
}

export function quoted(inside: Expression): Expression {
  return { kind: "rule", rule: { name: "string", expression: sequence(text('"'), inside, text('"')) } };
}

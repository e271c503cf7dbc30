import type { Automaton } from "./automaton.js";
import type { Ranges } from "./code-points.js";

/**
 * What a format is made of, whether it was written as a schema, a regular expression or EBNF. Rules are objects, not
 * names, so that parts from several sources can be put together.
 */
export type Expression =
  | { kind: "text"; text: string }
  /** One character. */
  | { kind: "characters"; ranges: Ranges }
  /** The texts of an automaton over code points; as they are, or spelled as the inside of a JSON string. */
  | { kind: "automaton"; automaton: Automaton; spelling: "plain" | "json" }
  | { kind: "sequence"; parts: readonly Expression[] }
  | { kind: "choice"; options: readonly Expression[] }
  /** `max` may be Infinity. */
  | { kind: "repeat"; part: Expression; min: number; max: number }
  | { kind: "rule"; rule: Rule }
  /** The border of the whole text; only inside regular expressions. */
  | { kind: "border"; at: "start" | "end" };

export interface Rule {
  /** For messages. */
  name: string;
  expression: Expression;
}

/** What an expression is put together from; a rule is a border that this does not cross. */
export function partsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "sequence":
      return expression.parts;
    case "choice":
      return expression.options;
    case "repeat":
      return [expression.part];
    default:
      return [];
  }
}

export const empty: Expression = { kind: "text", text: "" };
/** Matches no text at all. */
export const nothing: Expression = { kind: "choice", options: [] };

export function text(value: string): Expression {
  return { kind: "text", text: value };
}

export function oneOf(ranges: Ranges): Expression {
  return ranges.length === 0 ? nothing : { kind: "characters", ranges };
}

export function sequence(...parts: Expression[]): Expression {
  const flat: Expression[] = [];
  for (const part of parts) {
    if (isNothing(part)) return nothing;
    for (const item of part.kind === "sequence" ? part.parts : [part]) {
      const last = flat.at(-1);
      if (item.kind === "text" && last?.kind === "text") flat[flat.length - 1] = text(last.text + item.text);
      else flat.push(item);
    }
  }
  const solid = flat.filter((part) => part.kind !== "text" || part.text !== "");
  if (solid.length === 0) return empty;
  return solid.length === 1 ? solid[0] : { kind: "sequence", parts: solid };
}

export function choice(...options: Expression[]): Expression {
  const flat = options.flatMap((option) => (option.kind === "choice" ? option.options : [option]));
  return flat.length === 1 ? flat[0] : { kind: "choice", options: flat };
}

export function optional(part: Expression): Expression {
  return isNothing(part) ? empty : choice(part, empty);
}

export function repeat(part: Expression, min = 0, max = Number.POSITIVE_INFINITY): Expression {
  if (max < min) return nothing;
  if (max === 0 || part === empty) return empty;
  if (isNothing(part)) return min === 0 ? empty : nothing;
  return min === 1 && max === 1 ? part : { kind: "repeat", part, min, max };
}

export function isNothing(expression: Expression): boolean {
  return expression.kind === "choice" && expression.options.length === 0;
}

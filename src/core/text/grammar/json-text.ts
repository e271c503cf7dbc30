import { anyCharacter, characters, intersect, negate } from "./code-points.js";
import { choice, type Expression, oneOf, optional, type Rule, repeat, sequence, text } from "./expression.js";

/**
 * The pieces of JSON text. They are constants, so that all formats share their terminals and masks. Behind a comma or
 * a colon may stand one space; no other white space is allowed, for a model that once begins with it may never stop.
 */
const hex = (from: string): Expression => oneOf(characters(`${from}${from.toLowerCase()}`));
const anyHex = hex("0123456789ABCDEF");

/** Half surrogates are left out: they are no characters. */
const unicodeEscape = choice(
  sequence(hex("0123456789ABCEF"), repeat(anyHex, 3, 3)),
  sequence(hex("D"), oneOf(characters("01234567")), repeat(anyHex, 2, 2)),
  sequence(
    hex("D"),
    hex("89AB"),
    repeat(anyHex, 2, 2),
    text("\\u"),
    hex("D"),
    hex("CDEF"),
    repeat(anyHex, 2, 2),
  ),
);

/** One character inside a string, in any spelling. */
export const stringCharacter: Expression = choice(
  oneOf(intersect(negate(characters('"\\')), [[0x20, anyCharacter.at(-1)![1]]])),
  sequence(text("\\"), choice(oneOf(characters('"\\/bfnrt')), sequence(text("u"), unicodeEscape))),
);

export const comma = sequence(text(","), optional(text(" ")));
export const colon = sequence(text(":"), optional(text(" ")));

const digits = (min: number, max: number): Expression => repeat(oneOf([[0x30, 0x39]]), min, max);
const whole = (max: number): Expression =>
  choice(text("0"), sequence(oneOf([[0x31, 0x39]]), digits(0, max - 1)));
const minus = optional(text("-"));

/** Up to 19 digits, as many as 64 bits have. */
export const anyInteger = rule(
  "integer",
  choice(text("0"), sequence(minus, oneOf([[0x31, 0x39]]), digits(0, 18))),
);
/** Up to 16 digits before the point and behind it, and an exponent of two digits: never beyond a double. */
export const anyNumber = rule(
  "number",
  sequence(
    minus,
    whole(16),
    optional(sequence(text("."), digits(1, 16))),
    optional(sequence(oneOf(characters("eE")), optional(oneOf(characters("+-"))), digits(1, 2))),
  ),
);
export const anyString = rule("string", sequence(text('"'), repeat(stringCharacter), text('"')));
export const anyBoolean = choice(text("true"), text("false"));
export const nullValue = text("null");

const valueRule: Rule = { name: "value", expression: text("") };
export const anyValue: Expression = { kind: "rule", rule: valueRule };
export const anyArray = rule("array", arrayOf(anyValue, 0, Number.POSITIVE_INFINITY));
export const anyObject = rule(
  "object",
  sequence(text("{"), optional(separated(sequence(anyString, colon, anyValue))), text("}")),
);
valueRule.expression = choice(anyObject, anyArray, anyString, anyNumber, anyBoolean, nullValue);

/** `min` to `max` items; at least one. */
export function separated(item: Expression, min = 1, max = Number.POSITIVE_INFINITY): Expression {
  return sequence(item, repeat(sequence(comma, item), Math.max(0, min - 1), max - 1));
}

export function arrayOf(item: Expression, min: number, max: number): Expression {
  if (max === 0) return text("[]");
  const items = separated(item, min, max);
  return sequence(text("["), min === 0 ? optional(items) : items, text("]"));
}

/** One value: its compact text, with the spaces that every value may have. */
export function exactValue(value: unknown): Expression {
  if (Array.isArray(value)) {
    return sequence(text("["), ...between(value.map(exactValue)), text("]"));
  }
  if (typeof value === "object" && value !== null) {
    const members = Object.entries(value).map(([key, member]) =>
      sequence(text(JSON.stringify(key)), colon, exactValue(member)),
    );
    return sequence(text("{"), ...between(members), text("}"));
  }
  return text(JSON.stringify(value));
}

function between(parts: Expression[]): Expression[] {
  return parts.flatMap((part, index) => (index === 0 ? [part] : [comma, part]));
}

function rule(name: string, expression: Expression): Expression {
  return { kind: "rule", rule: { name, expression } };
}

import { HfmsError } from "../../errors.js";
import { type Automaton, automatonOf } from "./automaton.js";
import { anyCharacter, characters, negate, type Ranges, union } from "./code-points.js";
import {
  choice,
  type Expression,
  empty,
  oneOf,
  optional,
  partsOf,
  repeat,
  sequence,
  text,
} from "./expression.js";

/**
 * The texts that match a regular expression as a whole. The syntax is ECMAScript's (with the flag `u`, and a little more
 * lenient about escapes) as far as it is regular: no look-around, back references or word borders. Throws
 * invalid_request with the position.
 */
export function parseRegex(pattern: string, at = ""): Expression {
  const expression = withoutOuterBorders(new RegexParser(pattern, at).parse());
  if (!hasBorder(expression)) return expression;
  return { kind: "automaton", automaton: automatonOf(expression), spelling: "plain" };
}

/** The texts in which a regular expression matches somewhere, as JSON Schema's `pattern` has it. */
export function searchAutomaton(pattern: string, at = ""): Automaton {
  const any = repeat(oneOf(anyCharacter));
  return automatonOf(sequence(any, new RegexParser(pattern, at).parse(), any));
}

const digit: Ranges = [[0x30, 0x39]];
const word: Ranges = union(digit, [[0x41, 0x5a]], [[0x5f, 0x5f]], [[0x61, 0x7a]]);
/** ECMAScript's WhiteSpace and LineTerminator. */
const space: Ranges = union(characters("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff"), [
  [0x2000, 0x200a],
]);
const classes: Record<string, Ranges> = {
  d: digit,
  D: negate(digit),
  w: word,
  W: negate(word),
  s: space,
  S: negate(space),
};
const controls: Record<string, string> = { n: "\n", r: "\r", t: "\t", f: "\f", v: "\v" };
const dot = negate(characters("\n\r\u2028\u2029"));
/** More repeats of one part than this are a mistake. */
const MAX_COUNT = 100_000;
/** Deeper groups would exhaust the stack. */
const MAX_DEPTH = 200;

class RegexParser {
  readonly #source: string[];
  readonly #pattern: string;
  readonly #place: string;
  #at = 0;
  #depth = 0;

  constructor(pattern: string, place: string) {
    this.#pattern = pattern;
    this.#source = [...pattern];
    this.#place = place;
  }

  parse(): Expression {
    const result = this.#alternatives();
    if (this.#at < this.#source.length) this.#fail(`"${this.#source[this.#at]}" has no partner`);
    return result;
  }

  #alternatives(): Expression {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    while (this.#at < this.#source.length && !"|)".includes(this.#source[this.#at])) {
      parts.push(this.#quantified(this.#atom()));
    }
    return sequence(...parts);
  }

  #quantified(part: Expression): Expression {
    const at = this.#at;
    const [min, max] = this.#quantifier() ?? [1, 1];
    if (this.#at === at) return part;
    if (part.kind === "border") this.#fail("a border can't be repeated");
    // Lazy or not: the texts are the same.
    this.#take("?");
    if (this.#peekQuantifier()) this.#fail("nothing to repeat");
    return min === 0 && max === 1 ? optional(part) : repeat(part, min, max);
  }

  #peekQuantifier(): boolean {
    const at = this.#at;
    const found = this.#quantifier() !== undefined;
    this.#at = at;
    return found;
  }

  #quantifier(): [number, number] | undefined {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    const found = /^\{(\d+)(?:(,)(\d*))?\}/.exec(this.#source.slice(this.#at, this.#at + 24).join(""));
    if (!found) return undefined;
    const min = Number(found[1]);
    let max = min;
    if (found[2]) max = found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (max < min) this.#fail("the counts are in the wrong order");
    if (min > MAX_COUNT || (max > MAX_COUNT && max !== Number.POSITIVE_INFINITY)) {
      this.#fail(`a count is above ${MAX_COUNT}`);
    }
    this.#at += found[0].length;
    return [min, max];
  }

  #atom(): Expression {
    const at = this.#at;
    const character = this.#source[this.#at++];
    switch (character) {
      case "^":
        return { kind: "border", at: "start" };
      case "$":
        return { kind: "border", at: "end" };
      case ".":
        return oneOf(dot);
      case "(":
        return this.#group();
      case "[":
        return oneOf(this.#class());
      case "\\": {
        const escaped = this.#escape(false);
        return typeof escaped === "string" ? text(escaped) : oneOf(escaped);
      }
      case "*":
      case "+":
      case "?":
        this.#at = at;
        return this.#fail("nothing to repeat");
      default:
        return text(character);
    }
  }

  #group(): Expression {
    if (++this.#depth > MAX_DEPTH) this.#fail(`groups are nested deeper than ${MAX_DEPTH}`);
    if (this.#take("?")) {
      const rest = this.#source.slice(this.#at, this.#at + 60).join("");
      const name = /^<[\p{L}_$][\p{L}\p{N}_$]*>/u.exec(rest)?.[0];
      if (name) this.#at += [...name].length;
      else if (!this.#take(":")) this.#fail("look-around and flags are not supported");
    }
    const inner = this.#alternatives();
    if (!this.#take(")")) this.#fail('a group lacks its ")"');
    this.#depth--;
    return inner;
  }

  #class(): Ranges {
    const negated = this.#take("^");
    const sets: Ranges[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#source.length) this.#fail('a class lacks its "]"');
      const from = this.#member();
      if (typeof from === "string" && this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        if (this.#at >= this.#source.length) this.#fail('a class lacks its "]"');
        const to = this.#member();
        if (typeof to !== "string") return this.#fail("a range ends in a class");
        if (to.codePointAt(0)! < from.codePointAt(0)!) this.#fail("a range is in the wrong order");
        sets.push([[from.codePointAt(0)!, to.codePointAt(0)!]]);
      } else sets.push(typeof from === "string" ? characters(from) : from);
    }
    return negated ? negate(union(...sets)) : union(...sets);
  }

  #member(): string | Ranges {
    const character = this.#source[this.#at++];
    return character === "\\" ? this.#escape(true) : character;
  }

  /** What stands behind a backslash: a character or a class of them. */
  #escape(inClass: boolean): string | Ranges {
    const character = this.#source[this.#at++];
    if (character === undefined) return this.#fail("the pattern ends in a backslash");
    if (classes[character]) return classes[character];
    if (controls[character]) return controls[character];
    if (character === "0" && !/\d/.test(this.#source[this.#at] ?? "")) return "\0";
    if (character === "x") return this.#code(/^[0-9a-fA-F]{2}/, "\\x needs two hex digits");
    if (character === "u") return this.#unicode();
    if (character === "p" || character === "P") return this.#property(character === "P");
    if (character === "c") {
      const letter = this.#source[this.#at++] ?? "";
      if (!/^[A-Za-z]$/.test(letter)) this.#fail("\\c needs a letter");
      return String.fromCodePoint(letter.charCodeAt(0) % 32);
    }
    if (character === "b" && inClass) return "\b";
    if (character === "b" || character === "B") return this.#fail("word borders are not supported");
    if (/[1-9k]/.test(character)) return this.#fail("back references are not supported");
    if (/[a-zA-Z0-9]/.test(character)) return this.#fail(`\\${character} is not an escape`);
    return character;
  }

  #unicode(): string {
    if (this.#take("{")) {
      const digits = this.#code(/^[0-9a-fA-F]{1,6}/, "\\u{ needs hex digits");
      if (!this.#take("}")) this.#fail('\\u{ lacks its "}"');
      return digits;
    }
    const high = this.#code(/^[0-9a-fA-F]{4}/, "\\u needs four hex digits");
    if (!/[\ud800-\udbff]/.test(high) || this.#source[this.#at] !== "\\") return high;
    this.#at += 2;
    return String.fromCodePoint(
      (high + this.#code(/^[dD][c-fC-F][0-9a-fA-F]{2}/, "half a surrogate pair")).codePointAt(0)!,
    );
  }

  #code(digits: RegExp, otherwise: string): string {
    const found = digits.exec(this.#source.slice(this.#at, this.#at + 8).join(""))?.[0];
    if (!found) return this.#fail(otherwise);
    const code = Number.parseInt(found, 16);
    if (code > 0x10ffff) this.#fail(`${found} is not a code point`);
    this.#at += found.length;
    return String.fromCodePoint(code);
  }

  #property(negated: boolean): Ranges {
    const found = /^\{[A-Za-z0-9_=]+\}/.exec(this.#source.slice(this.#at, this.#at + 80).join(""))?.[0];
    if (!found) return this.#fail("\\p needs the name of a property in braces");
    this.#at += found.length;
    const ranges = propertyRanges(found);
    if (!ranges) return this.#fail(`there is no Unicode property ${found}`);
    return negated ? negate(ranges) : ranges;
  }

  #take(character: string): boolean {
    if (this.#source[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #fail(reason: string): never {
    throw new HfmsError(
      "invalid_request",
      `${this.#place && `${this.#place}: `}the pattern ${JSON.stringify(this.#pattern)} can't be used: ${reason} (at character ${this.#at + 1})`,
      { param: "format" },
    );
  }
}

const properties = new Map<string, Ranges>();

/** The characters with a Unicode property, asked of the runtime's own tables; once for each property. */
function propertyRanges(name: string): Ranges | undefined {
  const known = properties.get(name);
  if (known) return known;
  let test: RegExp;
  try {
    test = new RegExp(`\\p${name}+`, "gu");
  } catch {
    return undefined;
  }
  const found: [number, number][] = [];
  for (const [low, high] of anyCharacter) {
    for (let start = low; start <= high; start += 0x1000) {
      const end = Math.min(high, start + 0xfff);
      const block = String.fromCodePoint(...Array.from({ length: end - start + 1 }, (_, i) => start + i));
      for (const { 0: run } of block.matchAll(test)) {
        const first = run.codePointAt(0)!;
        found.push([first, first + [...run].length - 1]);
      }
    }
  }
  const ranges = union(found);
  properties.set(name, ranges);
  return ranges;
}

/** A border at the outer end of a text that must match as a whole says nothing. */
function withoutOuterBorders(expression: Expression): Expression {
  if (expression.kind === "border") return empty;
  if (expression.kind === "choice") return choice(...expression.options.map(withoutOuterBorders));
  if (expression.kind !== "sequence") return expression;
  const parts = [...expression.parts];
  const isBorder = (part: Expression | undefined, at: string) => part?.kind === "border" && part.at === at;
  while (isBorder(parts[0], "start")) parts.shift();
  while (isBorder(parts.at(-1), "end")) parts.pop();
  return sequence(...parts);
}

function hasBorder(expression: Expression): boolean {
  return expression.kind === "border" || partsOf(expression).some(hasBorder);
}

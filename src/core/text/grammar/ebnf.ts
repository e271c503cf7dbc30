import { HfmsError } from "../../errors.js";
import { anyCharacter, characters, negate, type Ranges, union } from "./code-points.js";
import {
  choice,
  type Expression,
  empty,
  oneOf,
  optional,
  type Rule,
  repeat,
  sequence,
  text,
} from "./expression.js";

/**
 * A grammar in the EBNF of llama.cpp (GBNF) and XGrammar: `name ::= …` with literals, classes, `.`, groups, `|`, `*`,
 * `+`, `?`, `{m,n}` and `#` comments. Throws invalid_request with line and column.
 */
export function parseEbnf(source: string): Expression {
  return new EbnfParser(source).parse();
}

const escapes: Record<string, string> = {
  n: "\n",
  r: "\r",
  t: "\t",
  f: "\f",
  v: "\v",
  b: "\b",
  a: "\x07",
  "0": "\0",
};
const MAX_COUNT = 100_000;
const MAX_DEPTH = 200;

class EbnfParser {
  readonly #source: string;
  readonly #rules = new Map<string, Rule & { at: number; defined: boolean }>();
  #at = 0;
  #depth = 0;

  constructor(source: string) {
    this.#source = source;
  }

  parse(): Expression {
    for (this.#skip(); this.#at < this.#source.length; this.#skip()) {
      const at = this.#at;
      const name = this.#name();
      if (!name) this.#fail("a rule must begin with its name");
      this.#skip();
      if (!this.#take("::=")) this.#fail(`"::=" is missing behind the name "${name}"`);
      const rule = this.#rule(name, at);
      if (rule.defined) this.#fail(`the rule "${name}" is there twice`, at);
      rule.defined = true;
      rule.expression = this.#alternatives();
    }
    for (const { name, at, defined } of this.#rules.values()) {
      if (!defined) this.#fail(`there is no rule "${name}"`, at);
    }
    const root = this.#rules.get("root");
    if (!root) return this.#fail('there is no rule "root"', 0);
    return { kind: "rule", rule: root };
  }

  #rule(name: string, at: number): Rule & { at: number; defined: boolean } {
    const rule = this.#rules.get(name) ?? { name, expression: empty, at, defined: false };
    this.#rules.set(name, rule);
    return rule;
  }

  #alternatives(): Expression {
    const options = [this.#sequence()];
    while (this.#take("|")) options.push(this.#sequence());
    return choice(...options);
  }

  #sequence(): Expression {
    const parts: Expression[] = [];
    for (;;) {
      this.#skip();
      const part = this.#atEndOfRule() ? undefined : this.#atom();
      if (!part) return sequence(...parts);
      parts.push(this.#quantified(part));
      this.#skip();
    }
  }

  /** A rule ends where the next one's name and "::=" stand; line ends mean nothing. */
  #atEndOfRule(): boolean {
    return this.#at >= this.#source.length || nextRule.test(this.#source.slice(this.#at, this.#at + 300));
  }

  #atom(): Expression | undefined {
    const character = this.#source[this.#at];
    if (character === "|" || character === ")") {
      if (character === ")" && this.#depth === 0) this.#fail('")" has no partner');
      return undefined;
    }
    if (this.#take("(=")) this.#fail("look-ahead is not supported");
    if (this.#take("(")) {
      if (++this.#depth > MAX_DEPTH) this.#fail(`groups are nested deeper than ${MAX_DEPTH}`);
      const inner = this.#alternatives();
      if (!this.#take(")")) this.#fail('a group lacks its ")"');
      this.#depth--;
      return inner;
    }
    if (this.#take('"')) return this.#literal();
    if (this.#take("[")) return oneOf(this.#class());
    if (this.#take(".")) return oneOf(anyCharacter);
    const at = this.#at;
    const name = this.#name();
    if (name) return { kind: "rule", rule: this.#rule(name, at) };
    return this.#fail(`"${character}" is not expected here`);
  }

  #quantified(part: Expression): Expression {
    if (this.#take("*")) return this.#quantified(repeat(part));
    if (this.#take("+")) return this.#quantified(repeat(part, 1));
    if (this.#take("?")) return this.#quantified(optional(part));
    if (this.#source[this.#at] !== "{") return part;
    const found = /^\{\s*(\d+)\s*(?:(,)\s*(\d*)\s*)?\}/.exec(this.#source.slice(this.#at, this.#at + 60));
    if (!found) return this.#fail("a count is written {m}, {m,} or {m,n}");
    const min = Number(found[1]);
    let max = min;
    if (found[2]) max = found[3] === "" ? Number.POSITIVE_INFINITY : Number(found[3]);
    if (max < min) this.#fail("the counts are in the wrong order");
    if (min > MAX_COUNT || (max > MAX_COUNT && max !== Number.POSITIVE_INFINITY)) {
      this.#fail(`a count is above ${MAX_COUNT}`);
    }
    this.#at += found[0].length;
    return this.#quantified(repeat(part, min, max));
  }

  #literal(): Expression {
    let value = "";
    for (;;) {
      const character = this.#character();
      if (character === undefined || character === "\n") return this.#fail("a literal is not closed");
      if (character === '"') return text(value);
      value += character === "\\" ? this.#escape() : character;
    }
  }

  #class(): Ranges {
    const negated = this.#take("^");
    const sets: Ranges[] = [];
    const member = () => {
      const character = this.#character();
      if (character === undefined || character === "\n") return this.#fail("a class is not closed");
      return character === "\\" ? this.#escape() : character;
    };
    while (!this.#take("]")) {
      const from = member();
      if (this.#source[this.#at] === "-" && this.#source[this.#at + 1] !== "]") {
        this.#at++;
        const to = member();
        if (to.codePointAt(0)! < from.codePointAt(0)!) this.#fail("a range is in the wrong order");
        sets.push([[from.codePointAt(0)!, to.codePointAt(0)!]]);
      } else sets.push(characters(from));
    }
    return negated ? negate(union(...sets)) : union(...sets);
  }

  #escape(): string {
    const rest = this.#source.slice(this.#at, this.#at + 9);
    const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(rest);
    if (hex) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) this.#fail(`\\${hex[0]} is not a character`);
      this.#at += hex[0].length;
      return String.fromCodePoint(code);
    }
    const character = this.#character();
    if (character === undefined) return this.#fail("the grammar ends in a backslash");
    if (escapes[character]) return escapes[character];
    if (/[a-zA-Z0-9]/.test(character)) return this.#fail(`\\${character} is not an escape`);
    return character;
  }

  #character(): string | undefined {
    const code = this.#source.codePointAt(this.#at);
    if (code === undefined) return undefined;
    const character = String.fromCodePoint(code);
    this.#at += character.length;
    return character;
  }

  #name(): string {
    const name = /^[A-Za-z0-9_][A-Za-z0-9_.-]*/.exec(this.#source.slice(this.#at, this.#at + 200))?.[0] ?? "";
    this.#at += name.length;
    return name;
  }

  #skip(): void {
    const blank = /(?:\s|#[^\n]*)*/y;
    blank.lastIndex = this.#at;
    blank.exec(this.#source);
    this.#at = blank.lastIndex;
  }

  #take(token: string): boolean {
    if (!this.#source.startsWith(token, this.#at)) return false;
    this.#at += token.length;
    return true;
  }

  #fail(reason: string, at = this.#at): never {
    const before = this.#source.slice(0, at).split("\n");
    throw new HfmsError(
      "invalid_request",
      `the grammar can't be used: ${reason} (line ${before.length}, column ${before.at(-1)!.length + 1})`,
      { param: "format" },
    );
  }
}

const nextRule = /^[A-Za-z0-9_][A-Za-z0-9_.-]*[ \t]*::=/;

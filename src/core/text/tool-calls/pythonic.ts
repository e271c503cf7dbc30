import type { AnswerCursor, Reading } from "../answer-cursor.js";
import type { CallReader } from "./types.js";

/** Deeper nesting is no argument of a function. */
const MAX_DEPTH = 64;

/** Python calls with named arguments in a list: [f(a="x", n=1), g()]. */
export function* readPythonicCalls(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal("["))) return false;
  do {
    yield* cursor.space();
    if (!(yield* readPythonicCall(calls))) return false;
    calls.commit();
  } while (yield* cursor.spaced(","));
  if (!(yield* cursor.spaced("]"))) return false;
  calls.commit();
  return true;
}

/** f(a="x", n=1). Each argument is sent as JSON when it is complete. */
export function* readPythonicCall(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  const name = yield* cursor.while(/[\w.-]/);
  if (name === "" || !calls.knows(name) || !(yield* cursor.literal("("))) return false;
  calls.begin(name);
  const seen = new Set<string>();
  while (!(yield* cursor.spaced(")"))) {
    if (seen.size > 0 && !(yield* cursor.spaced(","))) return false;
    if (seen.size > 0 && (yield* cursor.spaced(")"))) break;
    yield* cursor.space();
    const key = yield* cursor.while(/\w/);
    if (key === "" || seen.has(key) || !(yield* cursor.spaced("="))) return false;
    yield* cursor.space();
    const value = yield* readPythonLiteral(cursor);
    if (value === undefined) return false;
    calls.write(`${seen.size > 0 ? ", " : "{"}${JSON.stringify(key)}: ${value}`);
    seen.add(key);
  }
  calls.write(seen.size > 0 ? "}" : "{}");
  calls.end();
  return true;
}

const WORDS: Record<string, string> = {
  True: "true",
  False: "false",
  None: "null",
  true: "true",
  false: "false",
  null: "null",
};

/** JSON text of a Python literal: string, number, True, False, None, list, tuple or dict with strings for keys. */
function* readPythonLiteral(cursor: AnswerCursor, depth = 0): Reading<string | undefined> {
  const first = yield* cursor.peek();
  if (depth > MAX_DEPTH) return undefined;
  if (first === '"' || first === "'") return quoted(yield* readPythonString(cursor));
  if (first === "[") return yield* readSequence(cursor, "]", depth);
  if (first === "(") return yield* readSequence(cursor, ")", depth);
  if (first === "{") return yield* readDict(cursor, depth);
  const word = yield* cursor.while(/[\w.+-]/);
  return WORDS[word] ?? numberText(word);
}

function* readSequence(cursor: AnswerCursor, closer: "]" | ")", depth: number): Reading<string | undefined> {
  cursor.take(1);
  const items: string[] = [];
  while (!(yield* cursor.spaced(closer))) {
    if (items.length > 0 && !(yield* cursor.spaced(","))) return undefined;
    if (items.length > 0 && (yield* cursor.spaced(closer))) break;
    yield* cursor.space();
    const item = yield* readPythonLiteral(cursor, depth + 1);
    if (item === undefined) return undefined;
    items.push(item);
  }
  return `[${items.join(", ")}]`;
}

function* readDict(cursor: AnswerCursor, depth: number): Reading<string | undefined> {
  cursor.take(1);
  const members: string[] = [];
  while (!(yield* cursor.spaced("}"))) {
    if (members.length > 0 && !(yield* cursor.spaced(","))) return undefined;
    if (members.length > 0 && (yield* cursor.spaced("}"))) break;
    yield* cursor.space();
    const first = yield* cursor.peek();
    const key = first === '"' || first === "'" ? yield* readPythonString(cursor) : undefined;
    if (key === undefined || !(yield* cursor.spaced(":"))) return undefined;
    yield* cursor.space();
    const value = yield* readPythonLiteral(cursor, depth + 1);
    if (value === undefined) return undefined;
    members.push(`${JSON.stringify(key)}: ${value}`);
  }
  return `{${members.join(", ")}}`;
}

const ESCAPES: Record<string, string> = {
  n: "\n",
  t: "\t",
  r: "\r",
  b: "\b",
  f: "\f",
  v: "\v",
  a: "\x07",
  "0": "\0",
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
};

/** Digits behind the letter of a numeric escape. */
const HEX_DIGITS: Record<string, number> = { x: 2, u: 4, U: 8 };

/** The text of 'a', "a" or a triple-quoted string. */
function* readPythonString(cursor: AnswerCursor): Reading<string | undefined> {
  const quote = cursor.take(1);
  let end = quote;
  if (yield* cursor.literal(quote)) {
    if (!(yield* cursor.literal(quote))) return "";
    end = quote.repeat(3);
  }
  let text = "";
  while (yield* cursor.more()) {
    if (yield* cursor.literal(end)) return text;
    const char = cursor.take(1);
    if (char !== "\\") text += char;
    else {
      const escaped = yield* readEscape(cursor);
      if (escaped === undefined) return undefined;
      text += escaped;
    }
  }
  return undefined;
}

/** An escape that Python doesn't know stands for itself, backslash included. */
function* readEscape(cursor: AnswerCursor): Reading<string | undefined> {
  if (!(yield* cursor.more())) return undefined;
  const letter = cursor.take(1);
  const digits = HEX_DIGITS[letter];
  if (digits === undefined) return ESCAPES[letter] ?? `\\${letter}`;
  let hex = "";
  while (hex.length < digits && /[\da-fA-F]/.test(yield* cursor.peek())) hex += cursor.take(1);
  const code = Number.parseInt(hex, 16);
  return hex.length === digits && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

function quoted(text: string | undefined): string | undefined {
  return text === undefined ? undefined : JSON.stringify(text);
}

/** A Python number as JSON has it: 1, -2.5, .5, 1., 1e3, 1_000. */
function numberText(word: string): string | undefined {
  const plain = word.replaceAll(/(?<=\d)_(?=\d)/g, "");
  if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(plain)) return plain;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(plain)) return undefined;
  const value = Number(plain);
  return Number.isFinite(value) ? JSON.stringify(value) : undefined;
}

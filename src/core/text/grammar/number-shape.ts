import { type Automaton, trim } from "./automaton.js";
import type { Expression } from "./expression.js";
import { anyInteger, anyNumber } from "./json-text.js";
import { refuse } from "./schema-document.js";
import type { NumberShape } from "./shape.js";

/** Numbers with bounds have at most this many digits: no two of them are the same double. */
const MAX_DIGITS = 15;
/** Above this a double can't tell neighbouring whole numbers apart. */
const MAX_INTEGER = Number.MAX_SAFE_INTEGER;
/** One state for each remainder. */
const MAX_MULTIPLE = 1000;

/**
 * JSON numbers of a shape. Without bounds they may have an exponent; with bounds they are written out, with up to 15
 * digits (whole numbers up to ±(2^53 − 1)). Throws invalid_request for multiples of anything but small whole numbers.
 */
export function numberExpression(shape: NumberShape, integer: boolean): Expression {
  const { min, max, multiples } = shape;
  if (min === Number.NEGATIVE_INFINITY && max === Number.POSITIVE_INFINITY && multiples.length === 0) {
    return integer ? anyInteger : anyNumber;
  }
  // A multiple of a whole number is whole.
  const whole = integer || multiples.length > 0;
  const reader = new NumberReader(whole ? wholeBounds(shape) : shape, whole, commonMultiple(multiples));
  return { kind: "automaton", automaton: explore(reader), spelling: "plain" };
}

function commonMultiple(multiples: NumberShape["multiples"]): number {
  let common = 1;
  for (const { of, at } of multiples) {
    const greatest = (a: number, b: number): number => (b === 0 ? a : greatest(b, a % b));
    const next = Number.isInteger(of) && of > 0 ? (common / greatest(common, of)) * of : Number.NaN;
    if (!(next <= MAX_MULTIPLE)) {
      throw refuse(
        at,
        `multipleOf is only supported with whole numbers from 1 to ${MAX_MULTIPLE}, not ${of}`,
      );
    }
    common = next;
  }
  return common;
}

function wholeBounds({ min, aboveMin, max, belowMax, multiples }: NumberShape): NumberShape {
  const low = aboveMin && Number.isInteger(min) ? min + 1 : Math.ceil(min);
  const high = belowMax && Number.isInteger(max) ? max - 1 : Math.floor(max);
  return {
    min: low === Number.NEGATIVE_INFINITY ? low : Math.max(low, -MAX_INTEGER),
    max: high === Number.POSITIVE_INFINITY ? high : Math.min(high, MAX_INTEGER),
    aboveMin: false,
    belowMax: false,
    multiples,
  };
}

/** How the digits so far compare with those of a bound: below, equal, above. */
type Order = -1 | 0 | 1;

interface Reading {
  phase: "start" | "minus" | "zero" | "whole" | "point" | "fraction";
  negative: boolean;
  /** Digits before the point, and behind it. */
  digits: number;
  decimals: number;
  /** Is a digit other than 0 among them? */
  something: boolean;
  toMin: Order;
  toMax: Order;
  /** Of the division by what it must be a multiple of. */
  remainder: number;
}

/** A bound's magnitude in decimal digits, written out. */
interface Digits {
  negative: boolean;
  whole: string;
  fraction: string;
}

/** Reads a number digit by digit and compares it with both bounds on the way. */
class NumberReader {
  readonly start: Reading = {
    phase: "start",
    negative: false,
    digits: 0,
    decimals: 0,
    something: false,
    toMin: 0,
    toMax: 0,
    remainder: 0,
  };
  readonly #shape: NumberShape;
  readonly #whole: boolean;
  readonly #multiple: number;
  /** Digits that a number may have. */
  readonly #longest: number;
  readonly #min?: Digits;
  readonly #max?: Digits;

  constructor(shape: NumberShape, whole: boolean, multiple: number) {
    this.#multiple = multiple;
    this.#shape = shape;
    this.#whole = whole;
    this.#min = Number.isFinite(shape.min) ? digitsOf(shape.min) : undefined;
    this.#max = Number.isFinite(shape.max) ? digitsOf(shape.max) : undefined;
    const large = [this.#min, this.#max].some((bound) => bound && bound.whole.length > MAX_DIGITS);
    this.#longest = whole && large ? MAX_DIGITS + 1 : MAX_DIGITS;
  }

  read(state: Reading, character: string): Reading | undefined {
    if (character === "-")
      return state.phase === "start" ? { ...state, phase: "minus", negative: true } : undefined;
    if (character === ".") {
      if (this.#whole || (state.phase !== "zero" && state.phase !== "whole")) return undefined;
      return { ...state, phase: "point" };
    }
    const inFraction = state.phase === "point" || state.phase === "fraction";
    if (state.phase === "zero" || state.digits + state.decimals >= this.#longest) return undefined;
    const [digits, decimals] = inFraction
      ? [state.digits, state.decimals + 1]
      : [state.digits + 1, state.decimals];
    const compare = (order: Order, bound: Digits | undefined): Order => {
      // Where signs or lengths differ, the digits don't matter: fewer states.
      if (!bound || state.negative !== bound.negative || digits > bound.whole.length) return 0;
      if (order !== 0) return order;
      const other = inFraction ? (bound.fraction[decimals - 1] ?? "0") : (bound.whole[digits - 1] ?? "0");
      return Math.sign(Number(character) - Number(other)) as Order;
    };
    let phase: Reading["phase"] = inFraction ? "fraction" : "whole";
    if (!inFraction && digits === 1 && character === "0") phase = "zero";
    return {
      ...state,
      phase,
      digits,
      decimals,
      something: state.something || character !== "0",
      toMin: compare(state.toMin, this.#min),
      toMax: compare(state.toMax, this.#max),
      remainder: (state.remainder * 10 + Number(character)) % this.#multiple,
    };
  }

  accepts(state: Reading): boolean {
    if (!["zero", "whole", "fraction"].includes(state.phase)) return false;
    // No minus zero.
    if (state.negative && !state.something) return false;
    const { aboveMin, belowMax } = this.#shape;
    const [low, high] = [
      this.#order(state, state.toMin, this.#min),
      this.#order(state, state.toMax, this.#max),
    ];
    return (
      (this.#min === undefined || (aboveMin ? low > 0 : low >= 0)) &&
      (this.#max === undefined || (belowMax ? high < 0 : high <= 0)) &&
      state.remainder === 0
    );
  }

  /** The number against a bound. */
  #order(state: Reading, digits: Order, bound: Digits | undefined): number {
    if (!bound) return 0;
    if (state.negative !== bound.negative && (state.something || !isZero(bound)))
      return state.negative ? -1 : 1;
    const sign = state.negative ? -1 : 1;
    if (state.digits !== bound.whole.length) return sign * Math.sign(state.digits - bound.whole.length);
    if (digits !== 0) return sign * digits;
    // All digits are the same so far; the bound may have more.
    return /[1-9]/.test(bound.fraction.slice(state.decimals)) ? -sign : 0;
  }
}

function isZero({ whole, fraction }: Digits): boolean {
  return !/[1-9]/.test(whole + fraction);
}

/** The shortest decimal digits that mean this double, without an exponent. */
function digitsOf(value: number): Digits {
  const [mantissa, exponent = "0"] = Math.abs(value).toString().split("e");
  const [head, tail = ""] = mantissa.split(".");
  const shift = Number(exponent);
  const all = shift >= 0 ? head + tail.padEnd(shift, "0") : "0".repeat(-shift) + head + tail;
  const point = shift >= 0 ? head.length + shift : head.length;
  const whole = all.slice(0, point).replace(/^0+(?=\d)/, "");
  return { negative: value < 0, whole, fraction: all.slice(point) };
}

/** The automaton of a reader: its states found from the start on. */
function explore(reader: NumberReader): Automaton {
  const ids = new Map<string, number>();
  const states: Reading[] = [];
  const add = (state: Reading): number => {
    const key = Object.values(state).join();
    let id = ids.get(key);
    if (id === undefined) {
      id = states.push(state) - 1;
      ids.set(key, id);
    }
    return id;
  };
  add(reader.start);
  const edges: number[][] = [];
  for (let at = 0; at < states.length; at++) {
    edges.push(
      [..."-.0123456789"].flatMap((character) => {
        const next = reader.read(states[at], character);
        return next ? [character.charCodeAt(0), character.charCodeAt(0), add(next)] : [];
      }),
    );
  }
  return trim({ accepting: states.map((state) => reader.accepts(state)), edges });
}

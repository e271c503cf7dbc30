import {
  type Automaton,
  accepts,
  anyText,
  automatonOf,
  difference,
  intersection,
  isEmpty,
} from "./automaton.js";
import { choice, type Expression, empty, nothing, optional, repeat, sequence, text } from "./expression.js";
import { anyString, colon, comma } from "./json-text.js";
import { refuse } from "./schema-document.js";
import type { SchemaReader } from "./schema-reader.js";
import type { Conjunction, ObjectShape } from "./shape.js";
import { quoted, stringAutomaton } from "./string-shape.js";

/** Properties × counts; each is a rule. */
const MAX_STATES = 5000;
/** Patterns are told apart by all their combinations. */
const MAX_PATTERNS = 6;

/** A property that an answer has in the schema's order, or a kind of property that may follow them. */
interface Member {
  pair: Expression;
  required: boolean;
}

/**
 * JSON objects of a shape: the named properties in the schema's order, then the other ones. `valueFor` writes the value
 * of a property.
 */
export function objectExpression(
  shape: ObjectShape,
  reader: SchemaReader,
  valueFor: (schemas: Conjunction) => Expression,
): Expression {
  const nameFits = namesOf(shape.names, reader);
  const members = namedMembers(shape, nameFits, valueFor);
  if (members.some(({ pair, required }) => required && pair === nothing)) return nothing;
  const others = otherPairs(shape, reader, nameFits, valueFor);
  const extra = choice(...others);
  const open = others.length > 0;
  const { count: atLeast, at } = shape.minProperties;
  const requiredCount = members.filter(({ required }) => required).length;
  if (open && atLeast > Math.max(1, requiredCount)) {
    throw refuse(
      at,
      `minProperties is only supported with named properties, or up to 1`,
      "set additionalProperties to false",
    );
  }
  const writer = new MemberWriter(members, open ? extra : nothing, atLeast, shape.maxProperties);
  return sequence(text("{"), writer.from(0, 0), text("}"));
}

/** Writes the members from one on, knowing how many there are already; each such place is a rule of its own. */
class MemberWriter {
  readonly #members: readonly Member[];
  readonly #extra: Expression;
  readonly #min: number;
  readonly #max: number;
  /** Counts above this make no difference. */
  readonly #enough: number;
  readonly #known = new Map<string, Expression>();

  constructor(members: readonly Member[], extra: Expression, min: number, max: number) {
    this.#members = members;
    this.#extra = extra;
    this.#min = min;
    this.#max = max;
    this.#enough = max === Number.POSITIVE_INFINITY ? Math.max(1, min) : members.length;
  }

  from(index: number, count: number): Expression {
    const key = `${index},${Math.min(count, this.#enough)}`;
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#known.size > MAX_STATES) throw refuse("", `an object needs more than ${MAX_STATES} rules`);
    const made: Expression = { kind: "rule", rule: { name: "members", expression: empty } };
    this.#known.set(key, made);
    made.rule.expression = this.#write(index, Math.min(count, this.#enough));
    return made;
  }

  #write(index: number, count: number): Expression {
    const member = this.#members[index];
    const before = count > 0 ? comma : empty;
    if (!member) return this.#rest(count, before);
    const taken =
      count < this.#max && member.pair !== nothing
        ? sequence(before, member.pair, this.from(index + 1, count + 1))
        : nothing;
    return member.required ? taken : choice(taken, this.from(index + 1, count));
  }

  #rest(count: number, before: Expression): Expression {
    const missing = Math.max(0, this.#min - count);
    const room = this.#max - count;
    if (this.#extra === nothing || room <= 0) return missing > 0 || room < 0 ? nothing : empty;
    const more = repeat(sequence(comma, this.#extra), Math.max(0, missing - 1), room - 1);
    const some = sequence(before, this.#extra, more);
    return missing > 0 ? some : optional(some);
  }
}

function namedMembers(
  shape: ObjectShape,
  nameFits: Automaton | undefined,
  valueFor: (schemas: Conjunction) => Expression,
): Member[] {
  const { properties, patterns, additional, required } = shape;
  const unnamed = [...required].filter((name) => !properties?.has(name));
  return [...(properties?.keys() ?? []), ...unnamed].map((name) => {
    const matching = patterns.filter((pattern) => accepts(pattern.names, name));
    const own = properties?.get(name) ?? (matching.length > 0 ? [] : (additional ?? []));
    const value = valueFor([...own, ...matching.flatMap(({ schema }) => schema)]);
    const fits = !nameFits || accepts(nameFits, name);
    const pair = value === nothing || !fits ? nothing : sequence(text(JSON.stringify(name)), colon, value);
    return { pair, required: required.has(name) };
  });
}

/** Pairs with names that are not named: one for each combination of patterns that a name can match. */
function otherPairs(
  shape: ObjectShape,
  reader: SchemaReader,
  nameFits: Automaton | undefined,
  valueFor: (schemas: Conjunction) => Expression,
): Expression[] {
  const { properties, patterns, additional, required } = shape;
  const closed = !reader.reading.literal && properties !== undefined && additional === undefined;
  const named = [...new Set([...(properties?.keys() ?? []), ...required])];
  if (patterns.length > MAX_PATTERNS) {
    throw refuse("", `more than ${MAX_PATTERNS} patternProperties are not supported`);
  }
  if (patterns.length === 0 && named.length === 0 && !nameFits) {
    const value = closed ? nothing : valueFor(additional ?? []);
    return value === nothing ? [] : [sequence(anyString, colon, value)];
  }
  const free = difference(nameFits ?? anyText, automatonOf(choice(...named.map(text))));
  const kinds = patterns.reduce(
    (found, pattern) =>
      found.flatMap(({ names, matching }) => [
        { names: intersection(names, pattern.names), matching: [...matching, pattern] },
        { names: difference(names, pattern.names), matching },
      ]),
    [{ names: free, matching: [] as (typeof patterns)[number][] }],
  );
  return kinds.flatMap(({ names, matching }) => {
    if (isEmpty(names) || (matching.length === 0 && closed)) return [];
    const value = valueFor(
      matching.length > 0 ? matching.flatMap(({ schema }) => schema) : (additional ?? []),
    );
    if (value === nothing) return [];
    return [sequence(quoted({ kind: "automaton", automaton: names, spelling: "json" }), colon, value)];
  });
}

/** The names that `propertyNames` allows; undefined for all. */
function namesOf(schemas: Conjunction, reader: SchemaReader): Automaton | undefined {
  if (reader.simplify(schemas).length === 0) return undefined;
  const texts = reader.shapesOf(schemas).flatMap((shape): Expression[] => {
    if (!shape.types.has("string")) return [];
    const automaton = stringAutomaton(shape.strings);
    if (!shape.values) return [{ kind: "automaton", automaton, spelling: "plain" }];
    return shape.values
      .filter((value) => typeof value === "string" && accepts(automaton, value))
      .map((value) => text(value as string));
  });
  return automatonOf(choice(...texts));
}

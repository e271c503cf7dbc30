import { type Automaton, accepts, automatonOf, difference, intersection } from "./automaton.js";
import { choice, type Expression, text } from "./expression.js";
import { searchAutomaton } from "./regex.js";
import { escapePointer, type Located, type SchemaDocument } from "./schema-document.js";

export type TypeName = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

/** Schemas that hold all at once. */
export type Conjunction = readonly Located[];

/** A schema without references and combinations: what it says about each type, merged from all its sources. */
export interface Shape {
  /** `number` includes `integer`. */
  types: ReadonlySet<TypeName>;
  /** Of `enum` and `const`. */
  values?: readonly unknown[];
  numbers: NumberShape;
  strings: StringShape;
  arrays: ArrayShape;
  objects: ObjectShape;
}

export interface NumberShape {
  min: number;
  /** Must be above `min`, not equal. */
  aboveMin: boolean;
  max: number;
  belowMax: boolean;
  multiples: readonly { of: number; at: string }[];
}

export interface StringShape {
  minLength: number;
  maxLength: number;
  patterns: readonly { pattern: string; at: string }[];
  formats: readonly { format: string; at: string }[];
}

export interface ArrayShape {
  prefix: readonly Conjunction[];
  /** Items behind the prefix; undefined when nothing was said about them. */
  items?: Conjunction;
  minItems: number;
  maxItems: number;
}

export interface ObjectShape {
  /** undefined when neither `properties` nor `patternProperties` was there. */
  properties?: ReadonlyMap<string, Conjunction>;
  patterns: readonly PatternProperty[];
  /** Of the properties that are not named; undefined when nothing was said about them. */
  additional?: Conjunction;
  names: Conjunction;
  required: ReadonlySet<string>;
  minProperties: { count: number; at: string };
  maxProperties: number;
}

export interface PatternProperty {
  names: Automaton;
  schema: Conjunction;
}

const none: Conjunction = [];
const allTypes: readonly TypeName[] = ["null", "boolean", "number", "string", "array", "object"];
const unbounded = Number.POSITIVE_INFINITY;

export const anyShape: Shape = {
  types: new Set(allTypes),
  numbers: { min: -unbounded, aboveMin: false, max: unbounded, belowMax: false, multiples: [] },
  strings: { minLength: 0, maxLength: unbounded, patterns: [], formats: [] },
  arrays: { prefix: [], minItems: 0, maxItems: unbounded },
  objects: {
    patterns: [],
    names: none,
    required: new Set(),
    minProperties: { count: 0, at: "" },
    maxProperties: unbounded,
  },
};

/** What the keywords of one schema say themselves. */
export function shapeOf(located: Located, document: SchemaDocument): Shape {
  const { schema, at } = located;
  if (typeof schema === "boolean") return anyShape;
  const count = (keyword: string, otherwise: number) => (schema[keyword] as number | undefined) ?? otherwise;
  const list = (keyword: string) =>
    ((schema[keyword] ?? []) as unknown[]).map((_, index) => [document.child(located, keyword, index)]);
  const child = (keyword: string): Conjunction | undefined =>
    keyword in schema ? [document.child(located, keyword)] : undefined;
  const map = (keyword: string) => Object.keys((schema[keyword] ?? {}) as object);

  const [min, above] = [count("minimum", -unbounded), count("exclusiveMinimum", -unbounded)];
  const [max, below] = [count("maximum", unbounded), count("exclusiveMaximum", unbounded)];
  const named = "properties" in schema || "patternProperties" in schema;
  return {
    types: new Set((schema.type === undefined ? allTypes : [schema.type].flat()) as TypeName[]),
    values:
      "const" in schema
        ? merged(schema.enum as unknown[] | undefined, [schema.const])
        : (schema.enum as unknown[]),
    numbers: {
      min: Math.max(min, above),
      aboveMin: above >= min && above !== -unbounded,
      max: Math.min(max, below),
      belowMax: below <= max && below !== unbounded,
      multiples: "multipleOf" in schema ? [{ of: schema.multipleOf as number, at: `${at}/multipleOf` }] : [],
    },
    strings: {
      minLength: count("minLength", 0),
      maxLength: count("maxLength", unbounded),
      patterns: "pattern" in schema ? [{ pattern: schema.pattern as string, at: `${at}/pattern` }] : [],
      formats: "format" in schema ? [{ format: schema.format as string, at: `${at}/format` }] : [],
    },
    arrays: {
      prefix: list("prefixItems"),
      items: child("items") ?? child("unevaluatedItems"),
      minItems: count("minItems", 0),
      maxItems: count("maxItems", unbounded),
    },
    objects: {
      properties: named
        ? new Map(map("properties").map((name) => [name, [document.child(located, "properties", name)]]))
        : undefined,
      patterns: map("patternProperties").map((pattern) => ({
        names: searchAutomaton(pattern, `${at}/patternProperties/${escapePointer(pattern)}`),
        schema: [document.child(located, "patternProperties", pattern)],
      })),
      additional: child("additionalProperties") ?? child("unevaluatedProperties"),
      names: child("propertyNames") ?? none,
      required: new Set((schema.required ?? []) as string[]),
      minProperties: { count: count("minProperties", 0), at: `${at}/minProperties` },
      maxProperties: count("maxProperties", unbounded),
    },
  };
}

/** Both at once; undefined when no value can be both. */
export function mergeShapes(a: Shape, b: Shape): Shape | undefined {
  const types = new Set<TypeName>();
  for (const type of a.types) {
    if (b.types.has(type) || (type === "integer" && b.types.has("number"))) types.add(type);
    else if (type === "number" && b.types.has("integer")) types.add("integer");
  }
  const values = merged(a.values, b.values);
  if (types.size === 0 || values?.length === 0) return undefined;
  return {
    types,
    values,
    numbers: {
      min: Math.max(a.numbers.min, b.numbers.min),
      aboveMin: [a.numbers, b.numbers].some(
        ({ min, aboveMin }) => aboveMin && min >= Math.max(a.numbers.min, b.numbers.min),
      ),
      max: Math.min(a.numbers.max, b.numbers.max),
      belowMax: [a.numbers, b.numbers].some(
        ({ max, belowMax }) => belowMax && max <= Math.min(a.numbers.max, b.numbers.max),
      ),
      multiples: [...a.numbers.multiples, ...b.numbers.multiples],
    },
    strings: {
      minLength: Math.max(a.strings.minLength, b.strings.minLength),
      maxLength: Math.min(a.strings.maxLength, b.strings.maxLength),
      patterns: [...a.strings.patterns, ...b.strings.patterns],
      formats: [...a.strings.formats, ...b.strings.formats],
    },
    arrays: mergeArrays(a.arrays, b.arrays),
    objects: mergeObjects(a.objects, b.objects),
  };
}

function mergeArrays(a: ArrayShape, b: ArrayShape): ArrayShape {
  const length = Math.max(a.prefix.length, b.prefix.length);
  const item = (array: ArrayShape, index: number) => array.prefix[index] ?? array.items ?? none;
  return {
    prefix: Array.from({ length }, (_, index) => [...item(a, index), ...item(b, index)]),
    items: a.items || b.items ? [...(a.items ?? none), ...(b.items ?? none)] : undefined,
    minItems: Math.max(a.minItems, b.minItems),
    maxItems: Math.min(a.maxItems, b.maxItems),
  };
}

function mergeObjects(a: ObjectShape, b: ObjectShape): ObjectShape {
  const names = new Set([...(a.properties?.keys() ?? []), ...(b.properties?.keys() ?? [])]);
  return {
    properties:
      a.properties || b.properties
        ? new Map([...names].map((name) => [name, [...ownSchema(a, name), ...ownSchema(b, name)]]))
        : undefined,
    patterns: [...withAdditional(a, b), ...withAdditional(b, a)],
    additional:
      a.additional || b.additional ? [...(a.additional ?? none), ...(b.additional ?? none)] : undefined,
    names: [...a.names, ...b.names],
    required: new Set([...a.required, ...b.required]),
    minProperties: a.minProperties.count >= b.minProperties.count ? a.minProperties : b.minProperties,
    maxProperties: Math.min(a.maxProperties, b.maxProperties),
  };
}

/** What an object says about a property of this name, patterns apart: they are merged on their own. */
function ownSchema(object: ObjectShape, name: string): Conjunction {
  const own = object.properties?.get(name);
  if (own) return own;
  return object.patterns.some(({ names }) => accepts(names, name)) ? none : (object.additional ?? none);
}

/** Patterns of `a`; to `b` their properties are additional ones, where it neither names them nor has a pattern. */
function withAdditional(a: ObjectShape, b: ObjectShape): readonly PatternProperty[] {
  const { additional } = b;
  if (!additional || a.patterns.length === 0) return a.patterns;
  const own = automatonOf(
    choice(
      ...[...(b.properties?.keys() ?? [])].map(text),
      ...b.patterns.map(
        ({ names }): Expression => ({ kind: "automaton", automaton: names, spelling: "plain" }),
      ),
    ),
  );
  return a.patterns.flatMap(({ names, schema }) => [
    { names: intersection(names, own), schema },
    { names: difference(names, own), schema: [...schema, ...additional] },
  ]);
}

/** The values of both lists; no list allows all. */
function merged(
  a: readonly unknown[] | undefined,
  b: readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  if (!a || !b) return a ?? b;
  return a.filter((value) => b.some((other) => isSame(value, other)));
}

/** Equal as JSON values: the order of properties doesn't matter. */
export function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [keys, others] = [Object.keys(a), Object.keys(b)];
  return (
    keys.length === others.length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isSame((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]),
    )
  );
}

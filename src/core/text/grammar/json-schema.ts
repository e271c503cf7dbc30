import type { JsonSchema } from "../../requests.js";
import {
  choice,
  type Expression,
  empty,
  nothing,
  optional,
  type Rule,
  repeat,
  sequence,
  text,
} from "./expression.js";
import {
  anyArray,
  anyBoolean,
  anyObject,
  anyValue,
  arrayOf,
  comma,
  exactValue,
  nullValue,
} from "./json-text.js";
import { numberExpression } from "./number-shape.js";
import { objectExpression } from "./object-shape.js";
import { refuse } from "./schema-document.js";
import { keyOf, SchemaReader, type SchemaReading } from "./schema-reader.js";
import { type ArrayShape, anyShape, type Conjunction, type Shape, type TypeName } from "./shape.js";
import { allows } from "./shape-value.js";
import { stringExpression } from "./string-shape.js";

/**
 * The JSON texts that a schema (draft 2020-12) allows: compact, or with one space behind commas and colons; properties
 * in the schema's order. What is enforced, and how, is written down in docs/structured-output.md. Throws
 * invalid_request with the JSON pointer of a keyword that can't be enforced.
 */
export function schemaExpression(
  schema: JsonSchema,
  reading: SchemaReading = { literal: false },
): Expression {
  const reader = new SchemaReader(schema, reading);
  return new SchemaWriter(reader).write([reader.document.root]);
}

/** References that are merged with each other can unfold without end. */
const MAX_RULES = 10_000;

class SchemaWriter {
  readonly #reader: SchemaReader;
  /** By the schemas that hold together: what refers to itself finds its rule here. */
  readonly #known = new Map<string, Expression & { kind: "rule" }>();
  readonly #pending: { rule: Rule; schemas: Conjunction }[] = [];

  constructor(reader: SchemaReader) {
    this.#reader = reader;
  }

  /** The expression of the whole schema. Rules are written one after the other: a deep schema needs no deep stack. */
  write(schemas: Conjunction): Expression {
    const root = this.#value(schemas);
    for (let next = this.#pending.pop(); next; next = this.#pending.pop()) {
      const shapes = this.#reader.shapesOf(next.schemas);
      next.rule.expression = choice(...shapes.map((shape) => this.#shape(shape)));
    }
    return root;
  }

  #value(schemas: Conjunction): Expression {
    const simple = this.#reader.simplify(schemas);
    if (simple.length === 0) return anyValue;
    if (simple.some(({ schema }) => schema === false)) return nothing;
    const key = keyOf(simple);
    const known = this.#known.get(key);
    if (known) return known;
    const made = { kind: "rule" as const, rule: { name: key || "/", expression: empty } };
    this.#known.set(key, made);
    if (this.#known.size > MAX_RULES) throw refuse("", `the schema needs more than ${MAX_RULES} rules`);
    this.#pending.push({ rule: made.rule, schemas: simple });
    return made;
  }

  #shape(shape: Shape): Expression {
    if (shape.values) {
      const free = { ...shape, values: undefined };
      const values = shape.values.filter((value) => allows(this.#reader, free, value));
      return choice(...values.map(exactValue));
    }
    const types = this.#reader.reading.literal ? [...shape.types] : impliedTypes(shape);
    return choice(...types.map((type) => this.#ofType(shape, type)));
  }

  #ofType({ numbers, strings, arrays, objects }: Shape, type: TypeName): Expression {
    switch (type) {
      case "null":
        return nullValue;
      case "boolean":
        return anyBoolean;
      case "integer":
        return numberExpression(numbers, true);
      case "number":
        return numberExpression(numbers, false);
      case "string":
        return stringExpression(strings);
      case "array":
        return arrays === anyShape.arrays ? anyArray : this.#array(arrays);
      case "object":
        if (objects === anyShape.objects) return anyObject;
        return objectExpression(objects, this.#reader, (schemas) => this.#value(schemas));
    }
  }

  #array({ prefix, items, minItems, maxItems }: ArrayShape): Expression {
    if (maxItems < minItems) return nothing;
    if (prefix.length === 0) return arrayOf(this.#value(items ?? []), minItems, maxItems);
    const closed = !this.#reader.reading.literal && items === undefined && minItems <= prefix.length;
    const rest = closed ? nothing : this.#value(items ?? []);
    const more = Math.max(0, minItems - prefix.length);
    let tail =
      maxItems > prefix.length ? repeat(sequence(comma, rest), more, maxItems - prefix.length) : empty;
    for (let index = prefix.length - 1; index >= 0; index--) {
      if (index >= maxItems) continue;
      const item = sequence(index > 0 ? comma : empty, this.#value(prefix[index]), tail);
      tail = index >= minItems ? optional(item) : item;
    }
    return sequence(text("["), tail, text("]"));
  }
}

/** Where no `type` is given: the types that the other keywords are about; all of them where there are none. */
function impliedTypes(shape: Shape): readonly TypeName[] {
  const types = [...shape.types];
  if (types.length < anyShape.types.size) return types;
  const about: Partial<Record<TypeName, [unknown, unknown]>> = {
    number: [shape.numbers, anyShape.numbers],
    string: [shape.strings, anyShape.strings],
    array: [shape.arrays, anyShape.arrays],
    object: [shape.objects, anyShape.objects],
  };
  const implied = types.filter((type) => {
    const [own, any] = about[type] ?? [];
    return JSON.stringify(own, spelled) !== JSON.stringify(any, spelled);
  });
  return implied.length > 0 ? implied : types;
}

function spelled(_key: string, value: unknown): unknown {
  if (value instanceof Set || value instanceof Map) return [...value.keys()];
  return value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? String(value) : value;
}

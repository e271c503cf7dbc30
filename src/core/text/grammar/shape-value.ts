import { accepts } from "./automaton.js";
import type { SchemaReader } from "./schema-reader.js";
import { isSame, type NumberShape, type Shape, type TypeName } from "./shape.js";
import { stringAutomaton } from "./string-shape.js";

/** Does a value fit a shape? Read literally: what the shape leaves open is open. */
export function allows(reader: SchemaReader, shape: Shape, value: unknown): boolean {
  if (!hasType(shape.types, value)) return false;
  if (shape.values && !shape.values.some((allowed) => isSame(allowed, value))) return false;
  if (typeof value === "number") return inRange(shape.numbers, value);
  if (typeof value === "string") return accepts(stringAutomaton(shape.strings), value);
  if (Array.isArray(value)) {
    const { prefix, items, minItems, maxItems } = shape.arrays;
    return (
      value.length >= minItems &&
      value.length <= maxItems &&
      value.every((item, index) => reader.allows(prefix[index] ?? items ?? [], item))
    );
  }
  if (typeof value !== "object" || value === null) return true;
  const { properties, patterns, additional, names, required, minProperties, maxProperties } = shape.objects;
  const entries = Object.entries(value);
  return (
    entries.length >= minProperties.count &&
    entries.length <= maxProperties &&
    [...required].every((name) => Object.hasOwn(value, name)) &&
    entries.every(([name, member]) => {
      const matching = patterns.filter((pattern) => accepts(pattern.names, name));
      const own = properties?.get(name) ?? (matching.length > 0 ? [] : (additional ?? []));
      const schemas = [...own, ...matching.flatMap(({ schema }) => schema)];
      return reader.allows(names, name) && reader.allows(schemas, member);
    })
  );
}

function hasType(types: ReadonlySet<TypeName>, value: unknown): boolean {
  if (value === null) return types.has("null");
  if (Array.isArray(value)) return types.has("array");
  if (typeof value === "number")
    return types.has("number") || (types.has("integer") && Number.isInteger(value));
  return types.has(typeof value as TypeName);
}

function inRange({ min, aboveMin, max, belowMax, multiples }: NumberShape, value: number): boolean {
  return (
    (aboveMin ? value > min : value >= min) &&
    (belowMax ? value < max : value <= max) &&
    multiples.every(({ of }) => Number.isInteger(value / of))
  );
}

import { intersection, isEmpty } from "./automaton.js";
import type { SchemaReader } from "./schema-reader.js";
import type { Conjunction, ObjectShape, Shape, TypeName } from "./shape.js";
import { allows } from "./shape-value.js";
import { stringAutomaton } from "./string-shape.js";

/** How deep properties of properties are compared. */
const MAX_DEPTH = 4;

/**
 * Is it certain that no answer which is written for a shape of one list fits a shape of the other? False where it
 * can't be told.
 */
export function areExclusive(
  reader: SchemaReader,
  a: readonly Shape[],
  b: readonly Shape[],
  depth = 0,
): boolean {
  return a.every((one) => b.every((other) => exclusive(reader, one, other, depth)));
}

function exclusive(reader: SchemaReader, a: Shape, b: Shape, depth: number): boolean {
  if (a.values) return a.values.every((value) => !allows(reader, a, value) || !allows(reader, b, value));
  if (b.values) return exclusive(reader, b, a, depth);
  return [...a.types].every((type) => !sharesType(b.types, type) || exclusiveIn(reader, type, a, b, depth));
}

function sharesType(types: ReadonlySet<TypeName>, type: TypeName): boolean {
  if (type === "number" || type === "integer") return types.has("number") || types.has("integer");
  return types.has(type);
}

function exclusiveIn(reader: SchemaReader, type: TypeName, a: Shape, b: Shape, depth: number): boolean {
  switch (type) {
    case "string":
      return isEmpty(intersection(stringAutomaton(a.strings), stringAutomaton(b.strings)));
    case "integer":
    case "number":
      return isBelow(a, b) || isBelow(b, a);
    case "array":
      return (
        a.arrays.maxItems < b.arrays.minItems ||
        b.arrays.maxItems < a.arrays.minItems ||
        (depth < MAX_DEPTH && differInItem(reader, a, b, depth))
      );
    case "object":
      return depth < MAX_DEPTH && exclusiveObjects(reader, a.objects, b.objects, depth);
    default:
      return false;
  }
}

function isBelow(a: Shape, b: Shape): boolean {
  const [low, high] = [a.numbers, b.numbers];
  return low.max < high.min || (low.max === high.min && (low.belowMax || high.aboveMin));
}

/** An item that both lists must have, and that can't be the same. */
function differInItem(reader: SchemaReader, a: Shape, b: Shape, depth: number): boolean {
  const length = Math.min(a.arrays.minItems, b.arrays.minItems, 16);
  const item = ({ arrays }: Shape, index: number): Conjunction => arrays.prefix[index] ?? arrays.items ?? [];
  return Array.from({ length }, (_, index) => index).some((index) =>
    areExclusive(reader, reader.shapesOf(item(a, index)), reader.shapesOf(item(b, index)), depth + 1),
  );
}

function exclusiveObjects(reader: SchemaReader, a: ObjectShape, b: ObjectShape, depth: number): boolean {
  for (const name of a.required) {
    const [inA, inB] = [schemaOf(a, name), schemaOf(b, name)];
    if (!b.required.has(name)) continue;
    if (areExclusive(reader, reader.shapesOf(inA), reader.shapesOf(inB), depth + 1)) return true;
  }
  // What only one must have, answers of the other may lack; then they don't fit the first.
  const needsWhatIsForbidden = (one: ObjectShape, other: ObjectShape) =>
    [...one.required].some((name) => isForbidden(reader, other, name));
  const needsWhatIsNeverWritten = (one: ObjectShape, other: ObjectShape) =>
    [...one.required].some((name) => isForbidden(reader, other, name) || isNeverWritten(reader, other, name));
  return (
    needsWhatIsForbidden(a, b) ||
    needsWhatIsForbidden(b, a) ||
    (needsWhatIsNeverWritten(a, b) && needsWhatIsNeverWritten(b, a))
  );
}

function schemaOf(object: ObjectShape, name: string): Conjunction {
  // Patterns can only narrow it further.
  return object.properties?.get(name) ?? (object.patterns.length > 0 ? [] : (object.additional ?? []));
}

function isForbidden(reader: SchemaReader, object: ObjectShape, name: string): boolean {
  const schema = schemaOf(object, name);
  return schema.length > 0 && reader.shapesOf(schema).length === 0;
}

/** Not forbidden, but answers have only the properties that are named. */
function isNeverWritten(reader: SchemaReader, object: ObjectShape, name: string): boolean {
  return (
    !reader.reading.literal &&
    object.properties !== undefined &&
    object.patterns.length === 0 &&
    object.additional === undefined &&
    !object.properties.has(name) &&
    !object.required.has(name)
  );
}

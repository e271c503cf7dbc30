import type { JsonSchema } from "./schemas.js";

/** Deeper than any request that is worth an example. */
const MAX_DEPTH = 8;

/**
 * A value that fits a schema: its first example or default where it has one, else the required fields and those with
 * examples.
 */
export function exampleOf(schema: JsonSchema, components: Record<string, JsonSchema>, depth = 0): unknown {
  const { $ref, examples, default: standard, const: only, enum: words, type } = schema;
  if (Array.isArray(examples) && examples.length > 0) return examples[0];
  if (standard !== undefined) return standard;
  if (only !== undefined) return only;
  if (Array.isArray(words)) return words[0];
  if (depth > MAX_DEPTH) return null;
  const inside = (part: JsonSchema): unknown => exampleOf(part, components, depth + 1);
  if (typeof $ref === "string") return inside(components[componentName($ref)]);
  for (const options of [schema.anyOf, schema.oneOf]) if (Array.isArray(options)) return inside(options[0]);
  if (Array.isArray(schema.allOf)) return Object.assign({}, ...schema.allOf.map(inside));
  switch (Array.isArray(type) ? type[0] : type) {
    case "object":
      return exampleObject(schema, inside);
    case "array":
      return [inside((schema.items ?? {}) as JsonSchema)];
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return "…";
  }
}

/** `#/components/schemas/Error` is `Error`. */
export function componentName(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

function exampleObject(schema: JsonSchema, inside: (part: JsonSchema) => unknown): Record<string, unknown> {
  const required = new Set((schema.required ?? []) as string[]);
  const fields = Object.entries((schema.properties ?? {}) as Record<string, JsonSchema>);
  return Object.fromEntries(
    fields
      .filter(([name, field]) => required.has(name) || field.examples !== undefined)
      .map(([name, field]) => [name, inside(field)]),
  );
}

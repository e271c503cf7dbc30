import { isDeepStrictEqual } from "node:util";
import { type ZodType, z } from "zod";

/** A JSON Schema of draft 2020-12, as an object. */
export interface JsonSchema {
  [keyword: string]: unknown;
}

/** The named schemas of a document; what is used twice stands there once. */
export interface ComponentSchemas {
  /** By name, as they grow. */
  components: Record<string, JsonSchema>;
  /**
   * A reference to a zod schema. Its name is that of its `.meta({ id })`, or `name`. Schemas with ids inside it become
   * components too; one whose JSON differs by direction (a default makes a field optional only on the way in) gets the
   * direction behind its name.
   */
  refer(schema: ZodType, name: string, io: "input" | "output"): JsonSchema;
}

const DEFS = "#/$defs/";
const COMPONENTS = "#/components/schemas/";

export function componentSchemas(components: Record<string, JsonSchema> = {}): ComponentSchemas {
  return {
    components,
    refer(schema, name, io) {
      const {
        $schema: _,
        $defs = {},
        ...root
      } = z.toJSONSchema(schema, {
        io,
        target: "draft-2020-12",
        unrepresentable: "any",
        override: ({ jsonSchema }) => simplify(jsonSchema as JsonSchema),
      }) as JsonSchema & { $defs?: Record<string, JsonSchema> };
      const { $ref } = root;
      const named = typeof $ref === "string" && $ref.startsWith(DEFS);
      const rootName = named ? $ref.slice(DEFS.length) : name;
      const found = named ? $defs : { ...$defs, [rootName]: root };
      const names = new Map(Object.keys(found).map((key) => [key, publicName(key, rootName)]));
      // A new name changes who refers to it, so that they may clash too.
      for (;;) {
        const clashing = clashes(found, names, rootName, components);
        if (clashing.length === 0) break;
        for (const key of clashing) names.set(key, `${names.get(key)}${io === "input" ? "Input" : "Output"}`);
      }
      for (const [key, value] of Object.entries(found)) {
        components[names.get(key)!] = renamed(value, names, rootName);
      }
      return { $ref: COMPONENTS + names.get(rootName) };
    },
  };
}

/** `#/components/schemas/Error` is `Error`. */
export function componentName(reference: string): string {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** What zod says that a reader need not know. */
function simplify(schema: JsonSchema): void {
  // Answers may get new fields: a client that refused them would break.
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

/** zod numbers what refers to itself and has no id: `__schema0`. */
function publicName(key: string, rootName: string): string {
  return key.replace(/^__schema(\d+)$/, (_, number) => `${rootName}Part${Number(number) + 1}`);
}

/** Those that would change a component that is there. */
function clashes(
  found: Record<string, JsonSchema>,
  names: Map<string, string>,
  rootName: string,
  components: Record<string, JsonSchema>,
): string[] {
  return Object.entries(found)
    .filter(([key, schema]) => {
      const there = components[names.get(key)!];
      return there && !isDeepStrictEqual(there, renamed(schema, names, rootName));
    })
    .map(([key]) => key);
}

/** The same schema with references to components. */
function renamed(schema: JsonSchema, names: Map<string, string>, rootName: string): JsonSchema {
  const visit = (value: unknown, key?: string): unknown => {
    if (Array.isArray(value)) return value.map((item) => visit(item));
    if (typeof value === "object" && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, visit(item, name)]));
    }
    if (key !== "$ref" || typeof value !== "string") return value;
    const target = value === "#" ? rootName : value.slice(DEFS.length);
    return COMPONENTS + (names.get(target) ?? target);
  };
  return visit(schema) as JsonSchema;
}

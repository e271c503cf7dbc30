import { HfmsError } from "../../errors.js";
import type { JsonSchema } from "../../requests.js";

/** A schema and its JSON pointer in the document. */
export interface Located {
  schema: JsonSchema;
  at: string;
}

/** A JSON Schema with its references; they may only point into the document itself. */
export class SchemaDocument {
  readonly root: Located;

  constructor(schema: JsonSchema) {
    this.root = { schema, at: "" };
  }

  /** The schemas that stand in a keyword: a schema, a list of them, or an object of them. */
  child({ schema, at }: Located, ...path: (string | number)[]): Located {
    let value: unknown = schema;
    for (const key of path) value = (value as Record<string | number, unknown>)[key];
    const pointer = `${at}${path.map((key) => `/${escapePointer(String(key))}`).join("")}`;
    if (typeof value !== "boolean" && !isRecord(value)) throw refuse(pointer, "must be a schema");
    return { schema: value as JsonSchema, at: pointer };
  }

  /** What a `$ref` means. */
  resolve(from: Located): Located {
    const at = `${from.at}/$ref`;
    let ref = (from.schema as Record<string, unknown>).$ref;
    if (typeof ref !== "string") throw refuse(at, "must be a string");
    const id = isRecord(this.root.schema) ? this.root.schema.$id : undefined;
    if (typeof id === "string" && id !== "" && ref.startsWith(id)) ref = ref.slice(id.length) || "#";
    if (typeof ref !== "string" || !ref.startsWith("#")) {
      throw refuse(at, `"${ref}" is not in this document; only references that begin with "#" are followed`);
    }
    const target = this.#find(ref, at);
    if (!target) throw refuse(at, `there is nothing at "${ref}"`);
    return target;
  }

  #find(ref: string, at: string): Located | undefined {
    const fragment = decode(ref.slice(1), at);
    if (fragment !== "" && !fragment.startsWith("/")) return findAnchor(this.root, fragment);
    let value: unknown = this.root.schema;
    const keys = fragment
      .split("/")
      .slice(1)
      .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
    keys.forEach((key, index) => {
      const inside = isRecord(value) && index > 0 && typeof value.$id === "string";
      if (inside) throw refuse(at, "leads into a schema with its own $id, which is not supported");
      value =
        typeof value === "object" && value !== null && Object.hasOwn(value, key)
          ? (value as Record<string, unknown>)[key]
          : undefined;
    });
    if (typeof value !== "boolean" && !isRecord(value)) return undefined;
    return { schema: value, at: fragment };
  }
}

/** An error at a place of a schema: "/properties/age/multipleOf: …". */
export function refuse(at: string, reason: string, hint?: string): HfmsError {
  return new HfmsError("invalid_request", `${at || "/"}: ${reason}`, { hint, param: "format" });
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function escapePointer(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}

function decode(fragment: string, at: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    throw refuse(at, `"#${fragment}" is not a reference`);
  }
}

function findAnchor(located: { schema: unknown; at: string }, name: string): Located | undefined {
  const { schema, at } = located;
  if (isRecord(schema) && schema.$anchor === name) return { schema, at };
  if (typeof schema !== "object" || schema === null) return undefined;
  for (const [key, value] of Object.entries(schema)) {
    // Values are not schemas.
    if (key === "enum" || key === "const") continue;
    const found = findAnchor({ schema: value, at: `${at}/${escapePointer(key)}` }, name);
    if (found) return found;
  }
  return undefined;
}

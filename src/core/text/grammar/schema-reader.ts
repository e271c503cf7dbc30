import type { JsonSchema } from "../../requests.js";
import { type Located, refuse, SchemaDocument } from "./schema-document.js";
import { checkKeywords } from "./schema-keywords.js";
import { anyShape, type Conjunction, mergeShapes, type Shape, shapeOf } from "./shape.js";
import { areExclusive } from "./shape-exclusion.js";
import { allows } from "./shape-value.js";

/** How a schema is read where the standard leaves more open than an answer should be. */
export interface SchemaReading {
  /**
   * As the standard has it. Otherwise an object with `properties` has no other ones, a list with `prefixItems` no
   * further items, unless the schema says so; and a schema without `type` means the types that its keywords are about.
   */
  literal: boolean;
}

/** Shapes of one schema; more come from combinations of combinations. */
const MAX_SHAPES = 256;

/** Turns schemas into shapes: follows references, merges `allOf`, multiplies `anyOf` and `oneOf` out. */
export class SchemaReader {
  readonly reading: SchemaReading;
  readonly document: SchemaDocument;
  readonly #known = new Map<string, readonly Shape[]>();
  /** What is being read, to notice references that lead to themselves. */
  readonly #open = new Set<string>();

  constructor(schema: JsonSchema, reading: SchemaReading) {
    this.document = new SchemaDocument(schema);
    this.reading = reading;
  }

  /** The same schemas without those that say nothing, and with references followed where nothing stands beside them. */
  simplify(schemas: Conjunction): Conjunction {
    const found = new Map<string, Located>();
    for (let located of schemas) {
      for (let hops = 0; isReference(located); hops++) {
        checkKeywords(located);
        if (hops > MAX_SHAPES) throw refuse(`${located.at}/$ref`, "leads to itself");
        located = this.document.resolve(located);
      }
      if (located.schema !== true) found.set(located.at, located);
    }
    return [...found.values()].sort((a, b) => (a.at < b.at ? -1 : 1));
  }

  /** A value fits the schemas when it fits one of these. */
  shapesOf(schemas: Conjunction): readonly Shape[] {
    const simple = this.simplify(schemas);
    const key = keyOf(simple);
    const known = this.#known.get(key);
    if (known) return known;
    if (this.#open.has(key)) throw refuse(simple[0]?.at ?? "", "is defined by itself");
    this.#open.add(key);
    const shapes = this.#read(simple);
    this.#open.delete(key);
    this.#known.set(key, shapes);
    return shapes;
  }

  allows(schemas: Conjunction, value: unknown): boolean {
    return this.shapesOf(schemas).some((shape) => allows(this, shape, value));
  }

  #read(schemas: Conjunction): readonly Shape[] {
    let base: Shape | undefined = anyShape;
    const groups: { options: Located[]; exclusive?: Located }[] = [];
    const queue = [...schemas];
    const seen = new Set<string>();
    for (const located of queue) {
      if (seen.has(located.at)) continue;
      seen.add(located.at);
      const { schema } = located;
      if (typeof schema === "boolean") {
        if (!schema) base = undefined;
        continue;
      }
      checkKeywords(located);
      const own = shapeOf(located, this.document);
      base = base && mergeShapes(base, own);
      if ("$ref" in schema) queue.push(this.document.resolve(located));
      const list = (keyword: string) =>
        ((schema[keyword] ?? []) as unknown[]).map((_, index) =>
          this.document.child(located, keyword, index),
        );
      queue.push(...list("allOf"));
      if ("anyOf" in schema) groups.push({ options: list("anyOf") });
      if ("oneOf" in schema) groups.push({ options: list("oneOf"), exclusive: located });
    }
    if (!base) return [];
    return groups.reduce<readonly Shape[]>((shapes, group) => this.#multiply(shapes, group), [base]);
  }

  #multiply(shapes: readonly Shape[], group: { options: Located[]; exclusive?: Located }): readonly Shape[] {
    const branches = group.options.map((option) =>
      this.shapesOf([option]).flatMap((branch) =>
        shapes.flatMap((shape) => mergeShapes(shape, branch) ?? []),
      ),
    );
    const all = branches.flat();
    const at = group.exclusive?.at ?? group.options[0].at.replace(/\/\d+$/, "");
    if (all.length > MAX_SHAPES) throw refuse(at, `means more than ${MAX_SHAPES} cases`);
    if (group.exclusive) {
      for (let i = 0; i < branches.length; i++) {
        for (let j = i + 1; j < branches.length; j++) {
          if (areExclusive(this, branches[i], branches[j])) continue;
          throw refuse(
            `${at}/oneOf`,
            `a value could fit ${i} and ${j}, and oneOf is only supported where that can't be`,
            "use anyOf, or give each branch a property with a `const` of its own",
          );
        }
      }
    }
    return all;
  }
}

/** A name for schemas that hold together; the same ones have the same name. */
export function keyOf(simplified: Conjunction): string {
  return simplified.map(({ at }) => `#${at}`).join("&");
}

const notes = [
  "$ref",
  "title",
  "description",
  "default",
  "examples",
  "$comment",
  "deprecated",
  "readOnly",
  "writeOnly",
];

function isReference({ schema }: Located): boolean {
  return (
    typeof schema === "object" &&
    "$ref" in schema &&
    Object.keys(schema).every((keyword) => notes.includes(keyword) || keyword === "$defs")
  );
}

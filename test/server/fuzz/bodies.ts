import { type ZodType, z } from "zod";
import type { Route } from "../../../src/server/route.js";
import fc from "../../property.js";
import { expressions, grammars, keys, schemas, wild } from "./values.js";

type Json = Record<string, unknown>;

/**
 * Bodies for a route, as bytes: what its schema allows, in parts changed beyond that, and text that is hardly JSON.
 * `samples` are good bodies, so that a part of what comes passes the schema and reaches the engine.
 */
export function bodiesOf({ body: schema }: Route, samples: Json[]): fc.Arbitrary<Uint8Array> {
  const made = allowedBy(schema as ZodType).map((value) => ({ ...(value as Json) }));
  // A schema alone seldom makes what also fits together: its fields are put on good bodies, too.
  const mixed = fc
    .tuple(fc.constantFrom(...samples), made, fc.array(fc.nat(), { maxLength: 4 }))
    .map(([sample, more, picks]) => {
      const fields = Object.keys(more);
      const taken = picks
        .map((pick) => fields[pick % Math.max(1, fields.length)])
        .filter((key) => key !== undefined);
      return { ...sample, ...Object.fromEntries(taken.map((key) => [key, more[key]])) };
    });
  const objects = fc
    .oneof(
      { weight: 6, arbitrary: mixed },
      { weight: 1, arbitrary: made.map((one) => ({ ...one, model: samples[0].model })) },
      { weight: 1, arbitrary: made },
    )
    .chain((body) => changes.map((steps) => mutated(body, steps)));
  const texts = fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(objects, fc.boolean())
        .map(([body, cap]) => JSON.stringify(cap ? capped(body) : body)),
    },
    { weight: 1, arbitrary: wild.map((value) => JSON.stringify(value)) },
  );
  return fc.tuple(texts, garblings).map(([text, garble]) => garble(text));
}

// --- What a schema allows ---

function allowedBy(schema: ZodType): fc.Arbitrary<unknown> {
  const json = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Json;
  return ofSchema(json, (json.$defs ?? {}) as Record<string, Json>, "");
}

const MAX_ITEMS = 3;
const MAX_DEPTH = 7;

/** Fields whose values have a grammar of their own. */
const special: Record<string, fc.Arbitrary<unknown>> = {
  regex: expressions,
  guided_regex: expressions,
  pattern: expressions,
  grammar: grammars,
  guided_grammar: grammars,
  definition: grammars,
  json: schemas,
  schema: schemas,
  guided_json: schemas,
  parameters: schemas,
  keep_alive: fc.constantFrom<unknown>("5m", "1h30m", 0, -1, 60, "-1", null),
};

function ofSchema(schema: Json, defs: Record<string, Json>, name: string, depth = 0): fc.Arbitrary<unknown> {
  if (depth > MAX_DEPTH) return fc.constant(null);
  const inner = (one: unknown, key = name) => ofSchema((one ?? {}) as Json, defs, key, depth + 1);
  const { $ref, anyOf, oneOf, allOf, enum: values, type, properties } = schema;
  if (name in special && !properties) return special[name];
  if (typeof $ref === "string") return inner(defs[$ref.replace("#/$defs/", "")]);
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(values)) return fc.constantFrom(...values);
  const choices = (anyOf ?? oneOf) as Json[] | undefined;
  if (choices) return fc.oneof(...choices.map((one) => inner(one)));
  if (Array.isArray(allOf)) return inner(Object.assign({}, ...allOf));
  if (Array.isArray(type)) return fc.oneof(...type.map((one) => inner({ ...schema, type: one })));
  if (type === "string") return text(schema);
  if (type === "integer" || type === "number") return number(schema);
  if (type === "boolean") return fc.boolean();
  if (type === "null") return fc.constant(null);
  if (type === "array") {
    const { minItems = 0 } = schema as { minItems?: number };
    return fc.array(inner(schema.items), { minLength: minItems, maxLength: Math.max(minItems, MAX_ITEMS) });
  }
  if (type === "object" && properties) {
    const fields = Object.entries(properties as Json).map(([key, one]) => [key, inner(one, key)] as const);
    return fc.record(Object.fromEntries(fields), { requiredKeys: (schema.required ?? []) as string[] });
  }
  if (type === "object")
    return fc.dictionary(fc.oneof(fc.constantFrom("1", "5"), keys), inner(schema.additionalProperties), {
      maxKeys: 3,
    });
  // A field that is there to be refused; all but a few of its values are.
  return fc.oneof({ weight: 9, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: wild });
}

function text({
  minLength = 0,
  maxLength = 60,
}: {
  minLength?: number;
  maxLength?: number;
}): fc.Arbitrary<string> {
  const words = fc.constantFrom(
    "a cat",
    "the dog barks",
    "one two three",
    "<|endoftext|>",
    "\n\n",
    "ünï",
    "{}",
    "5m",
  );
  return fc.oneof(
    words,
    fc.string({ unit: "binary", minLength, maxLength: Math.max(minLength, Math.min(maxLength, 60)) }),
  );
}

function number({
  type,
  minimum = -(2 ** 31),
  maximum = 2 ** 31,
  exclusiveMinimum = minimum,
}: Json): fc.Arbitrary<number> {
  const [min, max] = [
    Math.max(Number(minimum), Number(exclusiveMinimum), -(2 ** 31)),
    Math.min(Number(maximum), 2 ** 31),
  ];
  const edges = fc.constantFrom(min, max, Math.min(max, Math.max(min, 1)));
  const small = fc.integer({
    min: Math.ceil(min),
    max: Math.max(Math.ceil(min), Math.min(max, Math.ceil(min) + 20)),
  });
  return type === "integer" ? fc.oneof(edges, small) : fc.oneof(edges, fc.double({ min, max, noNaN: true }));
}

// --- What no schema allows ---

const mutations = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("replace", "replace", "replace", "remove", "add", "repeat", "wrap"),
  key: keys,
  value: wild,
});

type Mutation = typeof mutations extends fc.Arbitrary<infer T> ? T : never;

const changes = fc.oneof(fc.constant<Mutation[]>([]), fc.array(mutations, { minLength: 1, maxLength: 3 }));

/** The body with changes at places of it. */
function mutated(body: Json, steps: Mutation[]): Json {
  const copy = structuredClone(body);
  for (const { at, kind, key, value: shared } of steps) {
    const value = structuredClone(shared);
    const places = placesOf(copy);
    if (places.length === 0) return copy;
    const [holder, name] = places[at % places.length];
    const old = holder[name];
    if (kind === "replace") put(holder, name, value);
    else if (kind === "remove") Array.isArray(holder) ? holder.splice(Number(name), 1) : delete holder[name];
    else if (kind === "wrap") put(holder, name, [old]);
    else if (kind === "repeat") put(holder, name, Array(6).fill(old));
    else if (typeof old === "object" && old !== null && !Array.isArray(old)) put(old as Json, key, value);
    else put(copy, key, value);
  }
  return copy;
}

/** An own field, also where the name is `__proto__`. */
function put(holder: Json, name: string, value: unknown): void {
  Object.defineProperty(holder, name, { value, enumerable: true, configurable: true, writable: true });
}

const MAX_PLACES = 500;

function placesOf(body: Json): [holder: Json, name: string][] {
  const places: [Json, string][] = [];
  const open: unknown[] = [body];
  for (let holder = open.pop(); holder !== undefined && places.length < MAX_PLACES; holder = open.pop()) {
    for (const name of Object.keys(holder as Json)) {
      const value = (holder as Json)[name];
      places.push([holder as Json, name]);
      if (typeof value === "object" && value !== null) open.push(value);
    }
  }
  return places;
}

/** Few and short answers, most of the time: the engine is not what is tested here. */
function capped(body: Json): Json {
  const copy = { ...body };
  for (const [key, value] of Object.entries(copy)) {
    if (/^max_.*tokens$/.test(key) && typeof value === "number" && value > 8) copy[key] = 8;
    if (/^(n|best_of)$/.test(key) && typeof value === "number" && value > 2) copy[key] = 2;
  }
  return copy;
}

const garblings: fc.Arbitrary<(text: string) => Uint8Array> = fc.oneof(
  { weight: 25, arbitrary: fc.constant((text: string) => Buffer.from(text)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (text: string) => {
      const bytes = Buffer.from(text);
      bytes[at % bytes.length] = byte;
      return bytes;
    }),
  },
  {
    weight: 1,
    arbitrary: fc.nat().map((at) => (text: string) => Buffer.from(text).subarray(0, at % text.length)),
  },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom<(text: string) => string>(
        (text) => `\ufeff${text}`,
        (text) => `${text}x`,
        (text) => text.replace("{", '{"model":"golden/none","model":null,'),
        (text) => text.replace("}", ',"model":"golden/llama-gqa","model":"golden/bert-mean"}'),
        (text) => text.replace(/\d+/, "1e400"),
        (text) => text.replace(/\d+/, "-0"),
        (text) => text.replace(/\d+/, "123456789012345678901234567890"),
        (text) => text.replace(/"[^"]*"$/, '"\\ud800"'),
        (text) => text.replace("{", `{"deep":${"[".repeat(20_000)}${"]".repeat(20_000)},`),
        () => "[".repeat(100_000),
        () => '{"a":'.repeat(50_000),
        () => "",
        () => "null",
      )
      .map((change) => (text: string) => Buffer.from(change(text))),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => () => bytes) },
);

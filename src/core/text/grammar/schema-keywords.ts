import { isRecord, type Located, refuse } from "./schema-document.js";

/** Keywords that say something about a value and that every answer obeys. */
const enforced = [
  ...["$ref", "allOf", "anyOf", "oneOf", "type", "enum", "const"],
  ...["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ...["minLength", "maxLength", "pattern", "format"],
  ...["properties", "required", "additionalProperties", "patternProperties", "propertyNames"],
  ...["minProperties", "maxProperties", "unevaluatedProperties"],
  ...["prefixItems", "items", "minItems", "maxItems", "unevaluatedItems", "uniqueItems"],
];

/** Keywords that only describe, or hold what references point at. */
const described = [
  ...["title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"],
  ...["$schema", "$comment", "$defs", "definitions", "$anchor"],
  ...["contentEncoding", "contentMediaType", "contentSchema"],
];

/** What to write instead. */
const hints: Record<string, string> = {
  nullable: 'write "type": ["string", "null"]',
  contains: "say what all items look like with `items`",
  dependencies: "use `anyOf` with one schema for each case",
  dependentRequired: "use `anyOf` with one schema for each case",
  dependentSchemas: "use `anyOf` with one schema for each case",
  if: "use `anyOf` with one schema for each case",
  not: "say what is allowed instead",
};

const known = new Set([...enforced, ...described]);

/** Throws invalid_request for a keyword that is not enforced: nothing is ignored. Names that begin with `x-` are notes. */
export function checkKeywords({ schema, at }: Located): void {
  if (typeof schema === "boolean") return;
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === "$id" && at === "") continue;
    if (known.has(keyword) || keyword.startsWith("x-")) check(keyword, value, `${at}/${keyword}`, schema);
    else throw refuse(`${at}/${keyword}`, `${keyword} is not supported`, hints[keyword]);
  }
}

const counts = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"];
const numbers = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const schemaMaps = ["properties", "patternProperties"];
const schemaLists = ["allOf", "anyOf", "oneOf", "prefixItems"];
const typeNames = ["null", "boolean", "integer", "number", "string", "array", "object"];

function check(keyword: string, value: unknown, at: string, schema: Record<string, unknown>): void {
  const must = (holds: boolean, what: string) => {
    if (!holds) throw refuse(at, `must be ${what}`);
  };
  if (counts.includes(keyword))
    must(Number.isInteger(value) && Number(value) >= 0, "a whole number of 0 or more");
  else if (numbers.includes(keyword)) must(typeof value === "number", "a number");
  else if (schemaMaps.includes(keyword)) must(isRecord(value), "an object of schemas");
  else if (schemaLists.includes(keyword)) must(Array.isArray(value) && value.length > 0, "a list of schemas");
  else if (keyword === "pattern" || keyword === "format") must(typeof value === "string", "a string");
  else if (keyword === "enum") must(Array.isArray(value) && value.length > 0, "a list of values");
  else if (keyword === "required") {
    must(Array.isArray(value) && value.every((name) => typeof name === "string"), "a list of names");
  } else if (keyword === "type") {
    must(
      [value].flat().every((name) => typeNames.includes(name as string)),
      `one or more of ${typeNames.join(", ")}`,
    );
  } else if (keyword === "uniqueItems" && value === true) {
    throw refuse(at, "uniqueItems is not supported");
  } else if (keyword === "unevaluatedItems" || keyword === "unevaluatedProperties") {
    const joined = ["$ref", "allOf", "anyOf", "oneOf"].some((other) => other in schema);
    if (value !== false || joined) {
      throw refuse(
        at,
        `${keyword} is only supported as false and without $ref, allOf, anyOf and oneOf beside it`,
      );
    }
  }
}

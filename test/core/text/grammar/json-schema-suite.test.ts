import { readdirSync, readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../../src/core/errors.js";
import type { JsonSchema } from "../../../../src/core/requests.js";
import { compileGrammar } from "../../../../src/core/text/grammar/index.js";
import { schemaExpression } from "../../../../src/core/text/grammar/json-schema.js";
import { randomAnswer, randomNumbers, recognizer, vocabularyOf } from "./walk.js";

interface Group {
  description: string;
  schema: JsonSchema;
  tests: { description: string; data: unknown; valid: boolean }[];
}

const suite = new URL("../../../fixtures/json-schema-test-suite/", import.meta.url);
const files = readdirSync(suite).filter((name) => name.endsWith(".json"));
const model = await vocabularyOf("llama-gqa");

describe.each(files)("the draft's own tests, %s", (file) => {
  const groups: Group[] = JSON.parse(readFileSync(new URL(file, suite), "utf8"));
  it.each(groups)("$description", async ({ schema, tests }) => {
    const readings = recognizersOf(schema);
    if (typeof readings === "string") {
      expect(readings).toMatch(/^\/|^no answer can have this format/);
      return;
    }
    const [literal, usual] = readings;
    for (const { data, valid } of tests) {
      const texts = spellings(data);
      if (valid) expect(texts.some(literal), `${texts[0]} should fit`).toBe(true);
      else expect(texts.filter((text) => literal(text) || usual(text))).toEqual([]);
    }
    const validate = new Ajv2020({ strict: false, ownProperties: true }).compile(schema);
    const grammar = await compileGrammar({ type: "json_schema", schema }, model.vocabulary);
    const random = randomNumbers(4);
    for (let walk = 0; walk < 5; walk++) {
      const answer = randomAnswer(grammar, model, random);
      if (answer !== undefined) expect(validate(JSON.parse(answer)), answer).toBe(true);
    }
  });
});

/** The schema read literally and as usual; or why it is refused. */
function recognizersOf(schema: JsonSchema): ((text: string) => boolean)[] | string {
  try {
    return [true, false].map((literal) => recognizer(schemaExpression(schema, { literal })));
  } catch (error) {
    if (error instanceof HfmsError && error.code === "invalid_request") return error.message;
    throw error;
  }
}

/** Compact JSON with the properties in every order. */
function spellings(value: unknown): string[] {
  if (Array.isArray(value)) return products(value.map(spellings)).map((items) => `[${items.join()}]`);
  if (typeof value !== "object" || value === null) return [JSON.stringify(value)];
  return permutations(Object.entries(value)).flatMap((entries) =>
    products(
      entries.map(([name, member]) => spellings(member).map((text) => `${JSON.stringify(name)}:${text}`)),
    ).map((members) => `{${members.join()}}`),
  );
}

function products(lists: string[][]): string[][] {
  return lists.reduce<string[][]>(
    (found, list) => found.flatMap((head) => list.map((item) => [...head, item])).slice(0, 500),
    [[]],
  );
}

function permutations<T>(items: T[]): T[][] {
  if (items.length < 2) return [items];
  // Long objects of the suite come in the right order.
  if (items.length > 5) return [items];
  return items.flatMap((item, index) =>
    permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]),
  );
}

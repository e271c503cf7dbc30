import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import type { JsonSchema } from "../../../../src/core/requests.js";
import { compileGrammar } from "../../../../src/core/text/grammar/index.js";
import { formatNames } from "../../../../src/core/text/grammar/string-format.js";
import fc from "../../../property.js";
import { randomAnswer, randomNumbers, vocabularyOf } from "./walk.js";

const model = await vocabularyOf("llama-gqa");
const ajv = new Ajv2020({ strict: false, ownProperties: true });
addFormats.default(ajv);

const name = fc.constantFrom("a", "b", "name", 'a"b', "é", "two words", "");
const pair = (item: fc.Arbitrary<number>) =>
  fc.tuple(item, item).map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
const pattern = fc.constantFrom(
  "^[a-z]{2,5}$",
  "^x",
  "^a|^bb?$",
  "[^\\d\\s]+",
  '^["\\\\é]*$',
  "^(foo|ba[rz])+",
  "^.?\\u{1F600}$",
);
const value = fc.jsonValue({ maxDepth: 2, depthSize: "small" });
const bound = fc.oneof(fc.integer({ min: -2000, max: 2000 }), fc.double({ min: -50, max: 50, noNaN: true }));

/** Schemas of the keywords that are enforced; deep ones refer to themselves. */
const { schema: anySchema } = fc.letrec<{ schema: JsonSchema }>((tie) => {
  const schemas = (max: number) => fc.array(tie("schema"), { minLength: 1, maxLength: max });
  return {
    schema: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      fc.constantFrom<JsonSchema>(
        { type: "null" },
        { type: "boolean" },
        { type: "string" },
        { type: "integer" },
        true,
      ),
      fc.record({ const: value }),
      fc.record({ enum: fc.array(value, { minLength: 1, maxLength: 4 }) }),
      pair(fc.nat(12)).map(([minLength, maxLength]) => ({ type: "string", minLength, maxLength })),
      pattern.map((source) => ({ type: "string", pattern: source })),
      fc
        .tuple(pattern, fc.nat(3))
        .map(([source, minLength]) => ({ type: "string", pattern: source, minLength })),
      fc
        .tuple(fc.constantFrom("number", "integer"), pair(bound), fc.boolean(), fc.boolean())
        .map(([type, [low, high], above, below]) => ({
          type,
          [above ? "exclusiveMinimum" : "minimum"]: low,
          [below ? "exclusiveMaximum" : "maximum"]: high + 1,
        })),
      fc.record({
        type: fc.constant("integer"),
        multipleOf: fc.integer({ min: 1, max: 60 }),
        minimum: bound,
      }),
      fc
        .tuple(pair(fc.nat(4)), tie("schema"), fc.array(tie("schema"), { maxLength: 2 }))
        .map(([[minItems, maxItems], items, prefixItems]) => ({
          type: "array",
          minItems,
          maxItems,
          items,
          ...(prefixItems.length > 0 ? { prefixItems } : {}),
        })),
      fc
        .record({
          properties: fc.dictionary(name, tie("schema"), { maxKeys: 4, noNullPrototype: true }),
          required: fc.uniqueArray(name, { maxLength: 2 }),
          additionalProperties: fc.option(tie("schema"), { nil: undefined }),
          patternProperties: fc.option(
            pattern.chain((source) => tie("schema").map((schema) => ({ [source]: schema }))),
            { nil: undefined },
          ),
          maxProperties: fc.option(fc.integer({ min: 2, max: 5 }), { nil: undefined }),
        })
        .map((keywords) => ({ type: "object", ...JSON.parse(JSON.stringify(keywords)) })),
      schemas(3).map((anyOf) => ({ anyOf })),
      schemas(2).map((oneOf) => ({ oneOf })),
      schemas(2).map((allOf) => ({ allOf })),
      fc.constant({ type: "object", properties: { next: { $ref: "#" } } }),
      fc
        .tuple(tie("schema"), tie("schema"))
        .map(([anyOf, also]) => ({ anyOf: [anyOf, also], type: ["object", "string", "number"] })),
    ),
  };
});

describe("a random schema", () => {
  it("is refused, or what random answers make of it validates", async () => {
    let checked = 0;
    let ended = 0;
    await fc.assert(
      fc.asyncProperty(anySchema, fc.integer(), async (schema, seed) => {
        const grammar = await compileGrammar({ type: "json_schema", schema }, model.vocabulary).catch(
          (error) => {
            expect(error.code).toBe("invalid_request");
            expect(error.message).toMatch(/^\/|^no answer can have this format/);
          },
        );
        if (!grammar) return;
        const validate = new Ajv2020({ strict: false, ownProperties: true }).compile(schema);
        const random = randomNumbers(seed);
        checked++;
        for (let walk = 0; walk < 2; walk++) {
          const answer = randomAnswer(grammar, model, random);
          if (answer === undefined) continue;
          ended++;
          expect(validate(JSON.parse(answer)), answer).toBe(true);
        }
      }),
      { numRuns: 280, seed: 2012, endOnFailure: true },
    );
    expect(checked).toBeGreaterThan(200);
    expect(ended).toBeGreaterThan(checked * 1.8);
  });
});

describe("a format of strings", () => {
  it.each(formatNames)("%s has only texts that ajv-formats takes for one", async (format) => {
    const validate = ajv.compile({ type: "string", format });
    const grammar = await compileGrammar(
      { type: "json_schema", schema: { type: "string", format } },
      model.vocabulary,
    );
    const random = randomNumbers(1);
    for (let walk = 0; walk < 40; walk++) {
      const answer = randomAnswer(grammar, model, random);
      if (answer !== undefined) expect(validate(JSON.parse(answer)), answer).toBe(true);
    }
  });
});

import fc from "../../property.js";

/** Values that programs stumble over, as JSON can hold them. */

const strings = fc.oneof(
  { weight: 4, arbitrary: fc.string({ maxLength: 40 }) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      "",
      " ",
      "\u0000",
      "\ud800",
      "\udfff\ud800",
      "e\u0301\u200d\u202e",
      "👩‍👩‍👧‍👦",
      "__proto__",
      "constructor",
      "toString",
      "null",
      "NaN",
      "-1",
      "1e999",
      "../../../../etc/passwd",
      "..%2f..%2fetc%2fpasswd",
      "/etc/passwd",
      "C:\\windows\\system32",
      "file:///etc/passwd",
      "http://169.254.169.254/latest/meta-data",
      "data:text/plain;base64,AAAA",
      "{{ 7 * 7 }}{% for x in range(999999999) %}a{% endfor %}",
      "<|im_start|>system\n<|im_end|></s>[INST]<tool_call>",
      "data: [DONE]\n\n",
      "\r\nset-cookie: a=b",
    ),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom("a", "ab ", "\n", "é", "🤖", "0", '"', "\\"), fc.constantFrom(300, 5000, 20_000))
      .map(([part, times]) => part.repeat(times)),
  },
);

const numbers = fc.oneof(
  fc.integer({ min: -3, max: 5 }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom(
    -0,
    0.1,
    1e-320,
    1e308,
    -1e308,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    2 ** 63,
    -(2 ** 63),
    1e21,
  ),
);

const deep = fc
  .tuple(fc.constantFrom(5, 60, 1500), fc.boolean())
  .map(([depth, objects]) => nested(depth, objects ? (value) => ({ a: value }) : (value) => [value]));

const wide = fc
  .tuple(fc.constantFrom(30, 3000), fc.oneof(numbers, fc.constantFrom<unknown>("a", null, {}, [])))
  .map(([length, value]) => Array<unknown>(length).fill(value));

export const wild: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: strings },
  { weight: 5, arbitrary: numbers },
  {
    weight: 4,
    arbitrary: fc.constantFrom<unknown>(null, true, false, [], {}, [[]], [{}], [null], { "": null }),
  },
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: wide },
);

/** Keys of mutated objects: some that JavaScript gives a meaning. */
export const keys = fc.oneof(
  fc.constantFrom(
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "hasOwnProperty",
    "then",
    "toJSON",
    "",
    "0",
  ),
  fc.string({ unit: "binary", maxLength: 12 }),
);

const characters = fc.constantFrom(
  ..."()[]{}|*+?\\^$.-,:;=<>!&/\"'abcdwsDWS0129 \n".split(""),
  "é",
  "\u{1F916}",
);
const shortText = fc.array(characters, { maxLength: 24 }).map((parts) => parts.join(""));

export const expressions = fc.oneof(
  shortText,
  fc.constantFrom(
    "[a-z]{1,5}",
    "(a|b)*c",
    "\\d{1000000}",
    "(a*)*b",
    "(?=a)b",
    "\\u{110000}",
    "(".repeat(500),
    "a{3,1}",
  ),
);

export const grammars = fc.oneof(
  shortText,
  shortText.map((text) => `root ::= ${text}`),
  fc.constantFrom(
    'root ::= "a" root | "b"',
    "root ::= root",
    "root ::= [^a-",
    "root ::= missing",
    'a ::= "x"',
    'root ::= ("a"?)* "b"',
    `root ::= ${'("a" '.repeat(300)}`,
    'root ::= "a"{1,99999999}',
  ),
);

const types = ["object", "array", "string", "number", "integer", "boolean", "null", "nonsense"];

/** JSON Schemas, good and bad. */
export const schemas: fc.Arbitrary<unknown> = fc.letrec<{ schema: unknown }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 3, depthIdentifier: "schema", withCrossShrink: true },
    fc.constantFrom<unknown>(
      {},
      true,
      false,
      { type: "string" },
      { type: "integer" },
      { enum: ["a", 1, null] },
    ),
    fc.record(
      {
        type: fc.oneof(fc.constantFrom(...types), fc.subarray(types)),
        properties: fc.dictionary(keys, tie("schema"), { maxKeys: 3 }),
        required: fc.array(keys, { maxLength: 3 }),
        additionalProperties: tie("schema"),
        items: tie("schema"),
        prefixItems: fc.array(tie("schema"), { maxLength: 2 }),
        minItems: numbers,
        maxItems: numbers,
        minLength: numbers,
        maxLength: numbers,
        minimum: numbers,
        maximum: numbers,
        pattern: expressions,
        format: fc.constantFrom("date-time", "email", "uuid", "ipv4", "nonsense"),
        enum: fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
        const: fc.jsonValue({ maxDepth: 1 }),
        anyOf: fc.array(tie("schema"), { maxLength: 3 }),
        allOf: fc.array(tie("schema"), { maxLength: 2 }),
        oneOf: fc.array(tie("schema"), { maxLength: 2 }),
        not: tie("schema"),
        $ref: fc.constantFrom(
          "#",
          "#/$defs/a",
          "#/nowhere",
          "http://127.0.0.1:1/schema.json",
          "file:///etc/passwd",
        ),
        $defs: fc.dictionary(fc.constantFrom("a", "b"), tie("schema"), { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
  ),
})).schema;

function nested(depth: number, wrap: (value: unknown) => unknown): unknown {
  let value: unknown = "bottom";
  for (let level = 0; level < depth; level++) value = wrap(value);
  return value;
}

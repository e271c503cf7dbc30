import { z } from "zod";
import type { JsonSchema, OutputFormat } from "../../../../core/index.js";
import { optional } from "../fields.js";

/** What an answer must look like: OpenAI's field, and vLLM's. */

const MAX_NAME = 64;
const MAX_TEXT = 2 ** 20;
const MAX_CHOICES = 1024;

const schema = z.record(z.string(), z.unknown()).describe("JSON Schema.");

/** vLLM takes the text of a schema as well. */
const schemaOrText = z.union([schema, z.string().max(MAX_TEXT).transform(parseSchema)], {
  error: "must be a JSON schema",
});
const regex = z.string().min(1).max(MAX_TEXT);
const choices = z.array(z.string().min(1).max(MAX_TEXT)).min(1).max(MAX_CHOICES);
const grammar = z.string().min(1).max(MAX_TEXT).describe("EBNF as llama.cpp and XGrammar write it.");

const structuredOutputs = z.object({
  json: optional(schemaOrText),
  regex: optional(regex),
  choice: optional(choices),
  grammar: optional(grammar),
  json_object: optional(z.boolean()),
});

export const outputFields = {
  response_format: optional(
    z.discriminatedUnion(
      "type",
      [
        z.object({ type: z.literal("text") }),
        z.object({
          type: z.literal("json_object"),
          schema: optional(schema).describe("Extension, as llama.cpp has it."),
        }),
        z.object({
          type: z.literal("json_schema"),
          json_schema: z.object({
            name: z
              .string()
              .regex(/^[\w-]+$/, { error: "must be letters, digits, underscores and hyphens" })
              .max(MAX_NAME),
            description: optional(z.string().max(MAX_TEXT)),
            schema,
            strict: optional(z.boolean()).describe("The schema is kept to either way."),
          }),
        }),
      ],
      { error: "must be text, json_object or json_schema" },
    ),
  ),
  structured_outputs: optional(structuredOutputs).describe("Extension, as vLLM has it."),
  guided_json: optional(schemaOrText).describe("Extension, as vLLM had it."),
  guided_regex: optional(regex).describe("Extension, as vLLM had it."),
  guided_choice: optional(choices).describe("Extension, as vLLM had it."),
  guided_grammar: optional(grammar).describe("Extension, as vLLM had it."),
};

const outputBody = z.object(outputFields);
type OutputBody = z.output<typeof outputBody>;

/** Refuses a second format. */
export function checkOutput(body: OutputBody, context: z.RefinementCtx): void {
  const [first, second] = formats(body);
  if (!second) return;
  context.addIssue({
    code: "custom",
    path: [second.field],
    message: `can't be kept to beside \`${first.field}\`; give one of them`,
  });
}

/** The format that was asked for, and the field that said so. */
export function formatOf(body: OutputBody): AskedFormat | undefined {
  return formats(body)[0];
}

interface AskedFormat {
  field: keyof typeof outputFields;
  format: OutputFormat;
}

function formats(body: OutputBody): AskedFormat[] {
  const { response_format: asked, structured_outputs: structured = {} } = body;
  const found: AskedFormat[] = [];
  const add = (field: AskedFormat["field"], format: OutputFormat) => void found.push({ field, format });
  if (asked?.type === "json_schema") add("response_format", json(asked.json_schema.schema));
  if (asked?.type === "json_object") {
    add("response_format", asked.schema ? json(asked.schema) : { type: "json_object" });
  }
  const { json_object: object, ...rest } = structured as z.output<typeof structuredOutputs>;
  if (object) add("structured_outputs", { type: "json_object" });
  for (const format of constraints(rest)) add("structured_outputs", format);
  const { guided_json, guided_regex, guided_choice, guided_grammar } = body;
  for (const format of constraints({ json: guided_json })) add("guided_json", format);
  for (const format of constraints({ regex: guided_regex })) add("guided_regex", format);
  for (const format of constraints({ choice: guided_choice })) add("guided_choice", format);
  for (const format of constraints({ grammar: guided_grammar })) add("guided_grammar", format);
  return found;
}

function* constraints(given: {
  json?: JsonSchema;
  regex?: string;
  choice?: string[];
  grammar?: string;
}): Iterable<OutputFormat> {
  if (given.json !== undefined) yield json(given.json);
  if (given.regex !== undefined) yield { type: "regex", pattern: given.regex };
  if (given.choice !== undefined) yield { type: "choice", choices: given.choice };
  if (given.grammar !== undefined) yield { type: "grammar", grammar: given.grammar };
}

function json(schema: JsonSchema): OutputFormat {
  return { type: "json_schema", schema };
}

function parseSchema(text: string, context: z.RefinementCtx): JsonSchema {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "boolean" || (typeof value === "object" && value !== null && !Array.isArray(value)))
      return value as JsonSchema;
  } catch {
    // Told below.
  }
  context.addIssue({ code: "custom", message: "is no JSON schema" });
  return z.NEVER;
}

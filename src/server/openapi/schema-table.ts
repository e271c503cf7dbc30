import { type Html, type HtmlValue, html, inline } from "./html.js";
import { componentName, type JsonSchema } from "./schemas.js";

/** The fields of an object as a table; of another schema, its type in one line. */
export function schemaTable(schema: JsonSchema): Html {
  const { properties } = schema as { properties?: Record<string, JsonSchema> };
  if (!properties) return html`<p>${typeOf(schema)} ${limits(schema)}</p>${inner(schema)}`;
  const required = new Set((schema.required ?? []) as string[]);
  const fields = Object.entries(properties);
  const refused = fields.filter(([, field]) => isRefused(field));
  const rows = fields
    .filter(([, field]) => !isRefused(field))
    .map(
      ([name, field]) => html`
<tr><th scope="row"><code>${name}</code>${required.has(name) && html` <small class="required">required</small>`}</th>
<td>${typeOf(field)} ${limits(field)}${typeof field.description === "string" && html`<p>${inline(field.description)}</p>`}${inner(field)}</td></tr>`,
    );
  return html`
<table class="fields"><thead><tr><th scope="col">Field</th><th scope="col">Type and meaning</th></tr></thead>
<tbody>${rows}</tbody></table>
${refused.length > 0 && refusedFields(refused)}`;
}

/** Fields of the original that are known and refused. */
function isRefused({ description }: JsonSchema): boolean {
  return typeof description === "string" && description.startsWith("Not supported: ");
}

function refusedFields(fields: [string, JsonSchema][]): Html {
  const items = fields.map(
    ([name, { description }]) =>
      html`<li><code>${name}</code>: ${inline(String(description).replace("Not supported: ", ""))}</li>`,
  );
  return html`<details><summary>Fields that are refused (${fields.length})</summary><ul>${items}</ul></details>`;
}

/** `string`, `"user" or "system"`, `list of ChatMessage`. */
function typeOf(schema: JsonSchema): HtmlValue {
  const { $ref, const: only, enum: words, type, items } = schema;
  if (typeof $ref === "string") {
    const name = componentName($ref);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (only !== undefined) return html`<code>${JSON.stringify(only)}</code>`;
  if (Array.isArray(words)) return joined(words.map((word) => html`<code>${JSON.stringify(word)}</code>`));
  const options = optionsOf(schema);
  if (options) return joined(options.map(typeOf));
  if (type === "array") return html`list of ${typeOf((items ?? {}) as JsonSchema)}`;
  if (Array.isArray(type)) return joined(type.filter((name) => name !== "null"));
  return typeof type === "string" ? type : "any JSON";
}

/** Of a choice, without null: every field takes it as absent. */
function optionsOf({ anyOf, oneOf }: JsonSchema): JsonSchema[] | undefined {
  const options = (anyOf ?? oneOf) as JsonSchema[] | undefined;
  const real = options?.filter(({ type }) => type !== "null");
  return real && real.length > 0 ? real : undefined;
}

/** Objects that differ only in their fields are named once. */
function joined(parts: HtmlValue[]): HtmlValue[] {
  const different = new Map(parts.map((part) => [html`${part}`.text, part]));
  return [...different.values()].flatMap((part, index) => (index === 0 ? [part] : [" or ", part]));
}

/** `1 to 20`, `at most 512 characters`, `default 1`. */
function limits(schema: JsonSchema): HtmlValue {
  const options = optionsOf(schema);
  // An optional field is a choice between something and null.
  if (options?.length === 1 && (schema.anyOf as unknown[])?.length === 2) {
    return limits({ ...options[0], default: schema.default ?? options[0].default });
  }
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, pattern, default: standard } = schema;
  const found = [
    range(minimum, maximum, ""),
    exclusiveMinimum !== undefined && `above ${exclusiveMinimum}`,
    exclusiveMaximum !== undefined && `below ${exclusiveMaximum}`,
    range(schema.minLength, schema.maxLength, " characters"),
    range(schema.minItems, schema.maxItems, " items"),
    typeof pattern === "string" && `matches ${pattern}`,
    standard !== undefined && `default ${JSON.stringify(standard)}`,
  ].filter((part) => part !== false && part !== undefined);
  return found.length > 0 && html`<small class="limits">${found.join(", ")}</small>`;
}

function range(low: unknown, high: unknown, unit: string): string | undefined {
  if (low !== undefined && high !== undefined) return `${number(low)} to ${number(high)}${unit}`;
  if (low !== undefined) return `at least ${number(low)}${unit}`;
  return high === undefined ? undefined : `at most ${number(high)}${unit}`;
}

function number(value: unknown): string {
  return typeof value === "number" ? value.toLocaleString("en") : String(value);
}

/** What tells one object of a choice from the others: `role "user"`. */
function titleOf({ properties }: JsonSchema): HtmlValue {
  const fields = Object.entries(properties as Record<string, JsonSchema>);
  const [name, sign] =
    fields.find(([, field]) => field.const !== undefined || Array.isArray(field.enum)) ?? [];
  if (name === undefined || sign?.const === undefined) return "Its fields";
  return html`<code>${name}</code> ${typeOf(sign)}`;
}

/** The fields of objects that have no name of their own. */
function inner(schema: JsonSchema): HtmlValue {
  if (schema.properties) {
    return html`<details><summary>${titleOf(schema)}</summary>${schemaTable(schema)}</details>`;
  }
  if (schema.type === "array") return inner((schema.items ?? {}) as JsonSchema);
  return optionsOf(schema)?.map(inner);
}

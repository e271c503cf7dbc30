import { z } from "zod";
import { HfmsError } from "../../../core/index.js";
import type { ServerConfig } from "../../config/schema.js";

/**
 * What operations on texts have in common: how texts come, and how many. Lists are checked up to the first item that is
 * wrong: zod notes every one, and a body has room for millions, which take seconds and gigabytes.
 */

/** More than any model reads; the size of bodies is limited besides. */
const MAX_TEXT = 2 ** 24;
const MAX_TOKENS = 2 ** 20;
/** A server takes fewer: its `maxItems`. */
const MAX_TEXTS = 1_000_000;
const MAX_TOKEN_ID = 2 ** 31 - 1;

export const text = z.string().max(MAX_TEXT);

/** A text, or token ids that the model reads as they are. */
export type TextOrTokens = string | number[];

type TextInput = string | string[] | number[] | number[][];

/** A text, several, token ids, or several lists of them; none of them empty. */
export const textInput = checked<TextInput>(faultOfInput, {
  anyOf: [
    { type: "string", minLength: 1, maxLength: MAX_TEXT },
    { type: "array", minItems: 1, maxItems: MAX_TEXTS, items: { type: "string", minLength: 1 } },
    { type: "array", minItems: 1, maxItems: MAX_TOKENS, items: { type: "integer", minimum: 0 } },
    {
      type: "array",
      minItems: 1,
      maxItems: MAX_TEXTS,
      items: { type: "array", minItems: 1, items: { type: "integer", minimum: 0 } },
    },
  ],
});

/** Token ids, also none. */
export const tokenIds = checked<number[]>(faultOfTokens, {
  type: "array",
  maxItems: MAX_TOKENS,
  items: { type: "integer", minimum: 0, maximum: MAX_TOKEN_ID },
});

/** A list with at least one item. */
export function listOf<T extends z.ZodType>(item: T) {
  const faultOf = (list: unknown): Fault | undefined =>
    Array.isArray(list) ? faultOfList(list, MAX_TEXTS, faultBy(item)) : fault("must be a list");
  return checked<z.output<T>[]>(faultOf, jsonSchema(z.array(item).min(1).max(MAX_TEXTS)));
}

/** One item, or a list of at least one. */
export function oneOrListOf<T extends z.ZodType>(item: T) {
  const faultOf = (value: unknown): Fault | undefined =>
    Array.isArray(value) ? faultOfList(value, MAX_TEXTS, faultBy(item)) : faultBy(item)(value);
  const documented = z.union([item, z.array(item).min(1).max(MAX_TEXTS)]);
  return checked<z.output<T> | z.output<T>[]>(faultOf, jsonSchema(documented));
}

/** Each text by itself, however they came. */
export function itemsOf(input: TextInput): TextOrTokens[] {
  if (typeof input === "string") return [input];
  return isTokenList(input) ? [input] : input;
}

/** Throws invalid_request where there are more items than the server takes at once. */
export function checkItems(count: number, param: string, { maxItems }: ServerConfig): void {
  if (count <= maxItems) return;
  throw new HfmsError(
    "invalid_request",
    `${param} has ${count} items; this server takes ${maxItems} at once`,
    {
      hint: "send less at once, or start the server with a larger --max-items",
      param,
    },
  );
}

interface Fault {
  message: string;
  path: PropertyKey[];
}

/** `schema` is what the documentation says of the values. */
function checked<T>(faultOf: (value: unknown) => Fault | undefined, schema: object) {
  return z
    .custom<T>()
    .superRefine((value, context) => {
      const found = faultOf(value);
      if (found) context.addIssue({ code: "custom", ...found });
    })
    .meta({ ...schema });
}

function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: "input" });
  return rest;
}

function faultBy(schema: z.ZodType): (value: unknown) => Fault | undefined {
  return (value) => {
    const issue = schema.safeParse(value).error?.issues[0];
    return issue && { message: issue.message, path: issue.path };
  };
}

function faultOfInput(input: unknown): Fault | undefined {
  if (typeof input === "string") return faultOfText(input);
  if (!Array.isArray(input)) return fault("must be a text, texts, token ids, or lists of token ids");
  const [first] = input as unknown[];
  if (typeof first === "number") return faultOfTokens(input);
  if (typeof first === "string") return faultOfList(input, MAX_TEXTS, faultOfText);
  return faultOfList(input, MAX_TEXTS, (ids) =>
    Array.isArray(ids) && ids.length === 0 ? fault("must not be empty") : faultOfTokens(ids),
  );
}

function faultOfList(
  list: readonly unknown[],
  most: number,
  faultOf: (item: unknown) => Fault | undefined,
): Fault | undefined {
  if (list.length === 0) return fault("must not be empty");
  if (list.length > most) return fault(`must not have more than ${most} items`);
  for (let i = 0; i < list.length; i++) {
    const found = faultOf(list[i]);
    if (found) return { ...found, path: [i, ...found.path] };
  }
  return undefined;
}

function faultOfText(value: unknown): Fault | undefined {
  if (typeof value !== "string") return fault("must be a text, as the first one is");
  if (value === "") return fault("must not be empty");
  return value.length > MAX_TEXT ? fault(`must not be longer than ${MAX_TEXT} characters`) : undefined;
}

function faultOfTokens(ids: unknown): Fault | undefined {
  if (!Array.isArray(ids)) return fault("must be a text or a list of token ids");
  if (ids.length > MAX_TOKENS) return fault(`must not have more than ${MAX_TOKENS} tokens`);
  const wrong = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id <= MAX_TOKEN_ID));
  return wrong < 0 ? undefined : { message: "must be a token id: a whole number from 0", path: [wrong] };
}

function fault(message: string): Fault {
  return { message, path: [] };
}

function isTokenList(input: TextInput): input is number[] {
  return typeof input[0] === "number";
}

import { z } from "zod";
import { HfmsError } from "../../../core/index.js";
import type { ServerConfig } from "../../config/schema.js";

/** What operations on texts have in common: how texts come, and how many. */

/** More than any model reads; the size of bodies is limited besides. */
const MAX_TEXT = 2 ** 24;
const MAX_TOKENS = 2 ** 20;
/** A server takes fewer: its `maxItems`. */
export const MAX_TEXTS = 1_000_000;
const MAX_TOKEN_ID = 2 ** 31 - 1;

export const text = z.string().max(MAX_TEXT);
export const tokenIds = z.array(z.int().min(0).max(MAX_TOKEN_ID)).max(MAX_TOKENS);
export const texts = z.array(text).max(MAX_TEXTS);

/** A text, or token ids that the model reads as they are. */
export type TextOrTokens = string | number[];

/** A text, several, token ids, or several lists of them; none of them empty. */
export const textInput = z
  .union([text, texts, tokenIds, z.array(tokenIds).max(MAX_TEXTS)], {
    error: "must be a text, a list of texts, a list of token ids, or a list of such lists",
  })
  .superRefine((input, context) => {
    const items = itemsOf(input);
    const empty = items.findIndex((item) => item.length === 0);
    if (items.length > 0 && empty < 0) return;
    const path = input.length > 0 ? [empty] : [];
    context.addIssue({ code: "custom", path, message: "must not be empty" });
  });

/** Each text by itself, however they came. */
export function itemsOf(input: string | string[] | number[] | number[][]): TextOrTokens[] {
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
      hint: "send several requests",
      param,
    },
  );
}

function isTokenList(input: string[] | number[] | number[][]): input is number[] {
  return typeof input[0] === "number";
}

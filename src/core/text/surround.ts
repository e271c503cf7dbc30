import type { TaggedConfig } from "./types.js";

/** The `post_processor` that puts a token before and one after the text; null when there is neither. */
export function surround(
  first: string | undefined,
  last: string | undefined,
  idOf: (token: string) => number,
): TaggedConfig | null {
  if (first === undefined && last === undefined) return null;
  const item = (token: string | undefined, type_id: number) =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const sequence = (id: "A" | "B", type_id: number) => ({ Sequence: { id, type_id } });
  const tokens = [first, last].filter((token) => token !== undefined);
  return {
    type: "TemplateProcessing",
    single: [...item(first, 0), sequence("A", 0), ...item(last, 0)],
    pair: [...item(first, 0), sequence("A", 0), ...item(last, 0), sequence("B", 1), ...item(last, 1)],
    special_tokens: Object.fromEntries(
      tokens.map((token) => [token, { id: token, ids: [idOf(token)], tokens: [token] }]),
    ),
  };
}

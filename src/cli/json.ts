/**
 * The JSON document that a command prints: two spaces deep, lists of numbers on one line, keys in snake_case like the
 * Hub's own files (`model_type`). A tool call's arguments are the model's, and stay as they are.
 */
export function toJson(value: unknown): string {
  // A raw line break can't stand inside a JSON string, so only the printer's own white space matches.
  return JSON.stringify(snakeKeys(value), null, 2).replace(
    /\[\n\s+(-?[\d.eE+-]+(?:,\n\s+-?[\d.eE+-]+)*)\n\s+\]/g,
    (_, numbers: string) => `[${numbers.replace(/\n\s+/g, " ")}]`,
  );
}

function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [
      key.replace(/[a-z0-9][A-Z]/g, (pair) => `${pair[0]}_${pair[1].toLowerCase()}`),
      key === "arguments" ? inner : snakeKeys(inner),
    ]),
  );
}

/** A token in tokenizer_config.json or special_tokens_map.json: a string, or an object with its content. */
export function contentOf(token: unknown): string | undefined {
  if (typeof token === "string") return token;
  const content = (token as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

import type { JsonSchema } from "../../requests.js";
import type { Reading } from "../answer-cursor.js";
import type { CallReader } from "./types.js";

/**
 * A call in nested tags: <function=f>\n<parameter=a>\nx\n</parameter>\n</function> of Qwen3-Coder, where the schema says
 * which values are no strings; or with JSON between the outer tags, as Llama 3.1 sometimes writes it.
 */
export function* readTaggedCall(calls: CallReader): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal("<function="))) return false;
  const name = yield* cursor.while(/[\w.-]/);
  if (name === "" || !calls.knows(name) || !(yield* cursor.literal(">"))) return false;
  calls.begin(name);
  yield* cursor.space();
  const whole = (yield* cursor.peek()) === "{" ? yield* readJson(calls) : yield* readParameters(calls, name);
  if (!whole || !(yield* cursor.spaced("</function>"))) return false;
  calls.end();
  calls.commit();
  return true;
}

function* readJson({ cursor, write }: CallReader): Reading<boolean> {
  return (yield* cursor.json(write)) !== undefined;
}

function* readParameters(calls: CallReader, name: string): Reading<boolean> {
  const { cursor } = calls;
  const seen = new Set<string>();
  while (yield* cursor.spaced("<parameter=")) {
    const key = yield* cursor.upTo(">");
    if (key === undefined || seen.has(key)) return false;
    const value = yield* cursor.upTo("</parameter>");
    if (value === undefined) return false;
    const json = valueText(value.replace(/^\n/, "").replace(/\n$/, ""), calls.schemaOf(name, key));
    calls.write(`${seen.size > 0 ? ", " : "{"}${JSON.stringify(key)}: ${json}`);
    seen.add(key);
  }
  calls.write(seen.size > 0 ? "}" : "{}");
  return true;
}

/** JSON of a value that was written as plain text. Only what the schema wants to be no string is read as JSON. */
function valueText(text: string, schema: JsonSchema | undefined): string {
  const type = typeof schema === "object" ? schema.type : undefined;
  const types = Array.isArray(type) ? type : [type];
  if (type === undefined || types.includes("string")) return JSON.stringify(text);
  const json = text.trim();
  // Qwen's template writes Python's words for these.
  const word = { True: "true", False: "false", None: "null" }[json];
  if (word) return word;
  try {
    JSON.parse(json);
    return json;
  } catch {
    return JSON.stringify(text);
  }
}

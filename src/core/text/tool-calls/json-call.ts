import type { Reading } from "../answer-cursor.js";
import type { CallReader } from "./types.js";

const NAME_KEYS = ["name"];
const ARGUMENT_KEYS = ["arguments", "parameters"];

/** Keys that some models add, as in the requests' schema; their values say nothing that is needed. */
const OTHER_KEYS = ["id", "type"];

/**
 * A call as a JSON object: {"name": "f", "arguments": {…}}, with "parameters" for "arguments" as Llama has it, or the
 * same below "function". The arguments go out as they come, in the model's own words, when the name stands first. With
 * `bare` nothing around it says that it is a call: the object must have arguments and no key besides.
 */
export function* readJsonCall(calls: CallReader, options: { bare?: boolean } = {}): Reading<boolean> {
  const call = new JsonCall(calls, options.bare ?? false);
  if (!(yield* call.readObject())) return false;
  return call.end();
}

/** Calls in a JSON list. Each one that is complete counts, even if the list breaks off behind it. */
export function* readJsonCalls(calls: CallReader, options?: { bare?: boolean }): Reading<boolean> {
  const { cursor } = calls;
  if (!(yield* cursor.literal("["))) return false;
  do {
    yield* cursor.space();
    if (!(yield* readJsonCall(calls, options))) return false;
    calls.commit();
  } while (yield* cursor.spaced(","));
  if (!(yield* cursor.spaced("]"))) return false;
  calls.commit();
  return true;
}

class JsonCall {
  readonly #calls: CallReader;
  readonly #bare: boolean;
  #name: string | undefined;
  /** Arguments that came before the name. */
  #arguments: string | undefined;
  #begun = false;
  #hasArguments = false;

  constructor(calls: CallReader, bare: boolean) {
    this.#calls = calls;
    this.#bare = bare;
  }

  *readObject(depth = 0): Reading<boolean> {
    const { cursor } = this.#calls;
    if (!(yield* cursor.literal("{"))) return false;
    if (yield* cursor.spaced("}")) return true;
    do {
      yield* cursor.space();
      const key = yield* this.#readKey();
      if (key === undefined || !(yield* cursor.spaced(":"))) return false;
      yield* cursor.space();
      if (!(yield* this.#readMember(key, depth))) return false;
    } while (yield* cursor.spaced(","));
    return yield* cursor.spaced("}");
  }

  end(): boolean {
    if (this.#name === undefined || (this.#bare && !this.#hasArguments)) return false;
    this.#begin();
    if (!this.#hasArguments) this.#calls.write("{}");
    else if (this.#arguments !== undefined) this.#calls.write(this.#arguments);
    this.#calls.end();
    return true;
  }

  /** A key. A bare object is known to be no call as soon as its key can't be one of a call. */
  *#readKey(): Reading<string | undefined> {
    const { cursor } = this.#calls;
    if (!this.#bare) return parsed(yield* cursor.json(), "string");
    if (!(yield* cursor.literal('"'))) return undefined;
    const known = [...NAME_KEYS, ...ARGUMENT_KEYS, ...OTHER_KEYS, "function"];
    let key = "";
    while ((yield* cursor.more()) && !(yield* cursor.literal('"'))) {
      key += cursor.take(1);
      if (!known.some((word) => word.startsWith(key))) return undefined;
    }
    return known.includes(key) ? key : undefined;
  }

  *#readMember(key: string, depth: number): Reading<boolean> {
    const { cursor } = this.#calls;
    const isFunction = key === "function" && depth === 0 && this.#name === undefined;
    if (isFunction && (yield* cursor.peek()) === "{") return yield* this.readObject(1);
    if (NAME_KEYS.includes(key) || isFunction) return yield* this.#readName();
    if (ARGUMENT_KEYS.includes(key)) return yield* this.#readArguments();
    return (yield* cursor.json()) !== undefined;
  }

  *#readName(): Reading<boolean> {
    const name = parsed(yield* this.#calls.cursor.json(), "string");
    if (name === undefined || this.#name !== undefined || !this.#calls.knows(name)) return false;
    this.#name = name;
    // A bare object may still turn out to have no arguments, and to be just an object with a name.
    if (!this.#bare) this.#begin();
    return true;
  }

  *#readArguments(): Reading<boolean> {
    const { cursor } = this.#calls;
    if (this.#hasArguments) return false;
    this.#hasArguments = true;
    const first = yield* cursor.peek();
    if (first === "{" && this.#name !== undefined) {
      this.#begin();
      return (yield* cursor.json((text) => this.#calls.write(text))) !== undefined;
    }
    const value = yield* cursor.json();
    if (value === undefined) return false;
    this.#arguments = objectText(value);
    return this.#arguments !== undefined;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#calls.begin(this.#name!);
  }
}

/** Arguments' text: an object as it is, one that was written as a string taken out of it, none for null. */
function objectText(json: string): string | undefined {
  if (json.startsWith("{")) return json;
  const value: unknown = JSON.parse(json);
  if (value === null) return "{}";
  if (typeof value !== "string") return undefined;
  try {
    const inner: unknown = JSON.parse(value);
    return typeof inner === "object" && inner !== null && !Array.isArray(inner) ? value.trim() : undefined;
  } catch {
    return undefined;
  }
}

function parsed(json: string | undefined, type: "string"): string | undefined {
  const value: unknown = json === undefined ? undefined : JSON.parse(json);
  return typeof value === type ? (value as string) : undefined;
}

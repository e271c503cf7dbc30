import { HfmsError } from "../core/index.js";
import { readText } from "./text-input.js";

/** The value of a flag that takes JSON: a file with it, or the JSON itself when it begins with a brace or bracket. */
export async function readJson(
  typed: string,
  { flag, signal }: { flag: string; signal: AbortSignal },
): Promise<unknown> {
  const inline = /^\s*[{[]/.test(typed);
  const text = inline ? typed : await readText(typed, signal);
  try {
    return JSON.parse(text);
  } catch (error) {
    const what = inline ? `the value of --${flag}` : `"${typed}"`;
    throw new HfmsError("invalid_request", `${what} is not JSON: ${(error as Error).message}`, {
      hint: inline ? "in a shell, put it between single quotes" : `--${flag} takes a file with JSON`,
      param: flag,
      cause: error,
    });
  }
}

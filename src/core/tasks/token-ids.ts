import { HfmsError } from "../errors.js";

export interface TokenIdsOptions {
  /** Ids of the model: 0 to this number - 1. */
  vocabularySize: number;
  /** What the ids are: "text 3", "the prompt". */
  what: string;
  /** The request's field that holds them. */
  param: string;
}

/** Ids come from outside. Throws empty_input, and invalid_request for one that the model does not have. */
export function checkTokenIds(
  ids: readonly number[],
  { vocabularySize, what, param }: TokenIdsOptions,
): void {
  if (ids.length === 0) throw new HfmsError("empty_input", `${what} has no tokens`, { param });
  const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabularySize));
  if (wrong === undefined) return;
  throw new HfmsError(
    "invalid_request",
    `${what} has the token ${wrong}; the model's tokens are 0 to ${vocabularySize - 1}`,
    { hint: "ids of another model's tokenizer mean nothing here: send text", param },
  );
}

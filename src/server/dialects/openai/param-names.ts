import { type GenerateEvent, HfmsError } from "../../../core/index.js";

/**
 * The same events; an error that names a field of the engine's request names the caller's field instead: that of
 * `names`, or the same word in snake case.
 */
export async function* withParamNames<E extends { type: string } = GenerateEvent>(
  events: AsyncGenerator<E>,
  names: Readonly<Record<string, string>>,
): AsyncGenerator<E> {
  try {
    yield* events;
  } catch (error) {
    if (!(error instanceof HfmsError) || error.param === undefined) throw error;
    const { code, message, hint, param, retryAfter, cause } = error;
    throw new HfmsError(code, message, {
      hint,
      param: names[param] ?? param.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      retryAfter,
      cause,
    });
  }
}

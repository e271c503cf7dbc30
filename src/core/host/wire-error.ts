import { type ErrorCode, HfmsError } from "../errors.js";

/** An error on its way from one process to another. `code` is there for an HfmsError. */
export interface WireError {
  name: string;
  message: string;
  stack?: string;
  code?: ErrorCode;
  hint?: string;
  param?: string;
  retryAfter?: number;
  cause?: WireError;
}

/** Causes of causes are told so far down. */
const MAX_CAUSES = 4;

export function toWire(error: unknown, depth = 0): WireError {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const { name, message, stack, cause } = error;
  const wire: WireError = { name, message, stack };
  if (cause !== undefined && depth < MAX_CAUSES) wire.cause = toWire(cause, depth + 1);
  if (error instanceof HfmsError)
    Object.assign(wire, {
      code: error.code,
      hint: error.hint,
      param: error.param,
      retryAfter: error.retryAfter,
    });
  return wire;
}

/** The error as it was thrown there, with the stack of that place. */
export function fromWire(wire: WireError): Error {
  const { name, message, stack, code, hint, param, retryAfter } = wire;
  const cause = wire.cause && fromWire(wire.cause);
  const error: Error = code
    ? new HfmsError(code, message, { hint, param, retryAfter, cause })
    : Object.assign(new Error(message, { cause }), { name });
  if (stack) error.stack = stack;
  return error;
}

import type { ErrorCode, HfmsError } from "../../../core/index.js";

export interface OpenAIError {
  error: { message: string; type: string; param: string | null; code: string | null };
}

/** Codes that have another name in this dialect. */
const codes: Partial<Record<ErrorCode, string | null>> = {
  invalid_request: null,
  empty_input: null,
  skill_not_found: "model_not_found",
  out_of_memory: "overloaded",
};

/** Words of OpenAI's by which clients know an error: LiteLLM looks for these, and not at the code. */
const openings: Partial<Record<ErrorCode, string>> = {
  context_length_exceeded: "This model's maximum context length is exceeded: ",
};

/** OpenAI's error object: all four keys, the hint as the message's last sentence. */
export function errorBody(error: HfmsError): OpenAIError {
  const { code, status, param = null } = error;
  const said = error.hint ? `${error.message}: ${error.hint}` : error.message;
  const message = (openings[code] ?? "") + said;
  const type = status === 429 ? "requests" : status >= 500 ? "server_error" : "invalid_request_error";
  return { error: { message, type, param, code: code in codes ? codes[code]! : code } };
}

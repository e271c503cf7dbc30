import { eventsOf, partsOf } from "./event-source.js";
import { askForKey, currentKey } from "./key.js";

/** What the server refused, or that it could not be reached. The message is for people. */
export class ApiError extends Error {
  /**
   * @param {string} message
   * @param {{ status?: number, code?: string | null, retryAfter?: number }} [details] status 0: no answer at all
   */
  constructor(message, { status = 0, code, retryAfter } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * @typedef {object} Call
 * @property {unknown} [body] sent as JSON, by POST
 * @property {AbortSignal} [signal]
 * @property {string} [accept]
 * @property {boolean} [quiet] does not ask for a key where one is missing
 */

/**
 * JSON that the server answers with. Throws ApiError.
 *
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<any>}
 */
export async function json(path, call) {
  const response = await ask(path, call);
  return response.json();
}

/**
 * The JSON of the events that the server answers with. Throws ApiError, also for an error inside the stream.
 *
 * @param {string} path
 * @param {Call} call
 * @returns {AsyncGenerator<any>}
 */
export async function* events(path, call) {
  const response = await ask(path, { ...call, accept: "text/event-stream" });
  if (!response.body) return;
  try {
    for await (const { data } of eventsOf(partsOf(response.body))) {
      if (data === "[DONE]") return;
      const event = JSON.parse(data);
      if (event.error) throw errorOf(event, { status: 200 });
      yield event;
    }
  } catch (cause) {
    throw asApiError(cause, call.signal);
  }
}

/**
 * @param {string} path
 * @param {Call} [call]
 * @returns {Promise<Response>}
 */
async function ask(path, call = {}) {
  const { body, signal, accept = "application/json", quiet = false } = call;
  for (;;) {
    const key = currentKey();
    let response;
    try {
      response = await fetch(path, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          accept,
          ...(body !== undefined && { "content-type": "application/json" }),
          ...(key && { authorization: `Bearer ${key}` }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal,
        cache: "no-store",
      });
    } catch (cause) {
      throw asApiError(cause, signal);
    }
    if (response.ok) return response;
    const error = await refusal(response);
    if (error.status !== 401 || quiet) throw error;
    // Another call may have brought a new key meanwhile: it is tried before anybody is asked.
    if (currentKey() !== key) continue;
    if (!(await askForKey(key ? "The server does not know this key." : "This server wants an API key.")))
      throw error;
  }
}

/** @param {Response} response */
async function refusal(response) {
  const { status } = response;
  const retryAfter = Number(response.headers.get("retry-after")) || undefined;
  const body = await response.json().catch(() => ({}));
  return errorOf(body, { status, retryAfter });
}

/**
 * @param {{ error?: { message?: string, code?: string | null } }} body
 * @param {{ status: number, retryAfter?: number }} details
 */
function errorOf({ error }, details) {
  const message = error?.message ?? `The server answered with status ${details.status}.`;
  return new ApiError(sentence(message), { ...details, code: error?.code });
}

/**
 * @param {unknown} cause
 * @param {AbortSignal | undefined} signal
 */
function asApiError(cause, signal) {
  if (cause instanceof ApiError || signal?.aborted) return cause;
  return new ApiError("The server can't be reached. Is hfms serve still running?");
}

/**
 * Names of models keep their first letter.
 *
 * @param {string} text
 */
function sentence(text) {
  const begun = /^[a-z]+[ ,:;]/.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text;
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

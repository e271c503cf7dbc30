import type { Outcome } from "../../../src/server/activity.js";

/** What came back of one request. */
export interface Answer {
  status: number;
  type: string;
  text: string;
}

/** Errors of the server's side that are part of its contract: nothing broke. */
const stated: Record<number, (string | null)[]> = {
  502: ["hub_error", "download_failed"],
  503: ["offline", "hub_unreachable", "model_loading", "overloaded", "device_unavailable"],
  504: ["request_timeout"],
  507: ["disk_full"],
};

/** What one names of a request must not come back at length. */
const MAX_ERROR = 10_000;

/** Throws where an answer is none that the server may give; says how its request ended. */
export function judged({ status, type, text }: Answer): Outcome {
  if (type.startsWith("text/event-stream")) return judgedStream(status, text);
  if (status >= 400) {
    if (!type.startsWith("application/json"))
      throw new Error(`status ${status} came as ${type}: ${text.slice(0, 500)}`);
    if (text.length > MAX_ERROR)
      throw new Error(`an error of ${text.length} characters: ${text.slice(0, 500)}`);
    return judgedError(status, JSON.parse(text));
  }
  if (type.startsWith("application/json")) JSON.parse(text);
  return "completed";
}

function judgedStream(status: number, text: string): Outcome {
  if (status !== 200) throw new Error(`a stream with status ${status}`);
  const events = text.split("\n\n");
  if (events.pop() !== "") throw new Error(`a stream that ends inside an event: ${text.slice(-200)}`);
  for (const event of events) {
    const data = event
      .split("\n")
      .find((line) => line.startsWith("data: "))
      ?.slice(6);
    if (data === undefined || data === "[DONE]") continue;
    const value = JSON.parse(data) as {
      error?: unknown;
      type?: string;
      response?: { error?: { code: string } };
    };
    if (value.error) return judgedError(undefined, value);
    // /v1/responses says so in the response.
    const failed = value.type === "response.failed" ? value.response?.error : undefined;
    if (failed) return judgedError(undefined, { error: { type: "", param: null, message: "…", ...failed } });
  }
  return "completed";
}

function judgedError(status: number | undefined, body: unknown): Outcome {
  const { error } = body as {
    error: { message: unknown; type: unknown; param: unknown; code: string | null };
  };
  const shape = [
    typeof error.message,
    typeof error.type,
    error.param === null ? "string" : typeof error.param,
  ];
  if (shape.some((one) => one !== "string") || error.message === "" || error.code === undefined)
    throw new Error(`no error object: ${JSON.stringify(body)}`);
  const states = status === undefined ? Object.values(stated).flat() : (stated[status] ?? []);
  const broke =
    status === undefined
      ? /internal|runtime|server_error|corrupt|file_error/.test(String(error.code))
      : status >= 500;
  if (broke && !states.includes(error.code))
    throw new Error(`it broke (${status}): ${JSON.stringify(error)}`);
  return status === undefined || status >= 500 ? "failed" : "refused";
}

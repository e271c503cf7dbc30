import type { ZodError, ZodType, z } from "zod";
import { HfmsError } from "../../core/index.js";
import type { ServerConfig } from "../config/schema.js";

/** Issues of one body that are told. */
const MAX_ISSUES = 3;

/** Arrays and objects inside each other. Whoever walks a value by calling itself needs a bound. */
const MAX_DEPTH = 256;

/**
 * The request's JSON, checked. Throws payload_too_large before more than the limit is read, unsupported_media_type,
 * request_timeout, invalid_request that names the field, and the reason of `signal` when that fires.
 */
export async function readBody<T>(
  request: Request,
  schema: ZodType<T>,
  config: ServerConfig,
  signal?: AbortSignal,
): Promise<T> {
  requireJson(request.headers);
  const text = await readText(request, config, signal);
  const result = schema.safeParse(parse(text));
  if (result.success) return result.data;
  throw invalidBody(result.error);
}

/** An error of a schema as invalid_request; `param` is the first field that is wrong: `messages[0].content`. */
export function invalidBody(error: ZodError): HfmsError {
  const found = error.issues.flatMap(told);
  const issues = found.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const field = fieldPath(path);
    return field ? `${field}: ${message}` : message;
  });
  const more = found.length - issues.length;
  const message = `${issues.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
  return new HfmsError("invalid_request", message, { param: fieldPath(found[0].path) || undefined });
}

/** Of several shapes that none fits, the one that was meant is the only one whose fault lies deeper. */
function told(issue: z.core.$ZodIssue): Pick<z.core.$ZodIssue, "path" | "message">[] {
  const { path } = issue;
  if (issue.code !== "invalid_union") return [issue];
  const meant = issue.errors.filter((issues) => issues.every((inner) => inner.path.length > 0));
  if (meant.length !== 1) return [issue];
  return meant[0].flatMap(told).map((inner) => ({ ...inner, path: [...path, ...inner.path] }));
}

function fieldPath(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index > 0 ? "." : ""}${String(key)}`))
    .join("")
    .slice(0, 200);
}

function requireJson(headers: Headers): void {
  const type = headers.get("content-type");
  if (type === null || /^\s*application\/([\w.-]+\+)?json\s*(;|$)/i.test(type)) return;
  throw new HfmsError("unsupported_media_type", `the body is ${type.slice(0, 100)}`, {
    hint: "send JSON, with `content-type: application/json`",
  });
}

async function readText(
  request: Request,
  { maxBodyBytes, bodyTimeout }: ServerConfig,
  signal: AbortSignal | undefined,
): Promise<string> {
  const tooLarge = () =>
    new HfmsError("payload_too_large", `the body is longer than ${maxBodyBytes} bytes`, {
      hint: "send less at a time, or start the server with a larger --max-body-bytes",
    });
  if (Number(request.headers.get("content-length") ?? 0) > maxBodyBytes) throw tooLarge();
  if (!request.body) return "";
  const reader = request.body.getReader();
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new HfmsError("request_timeout", `the body did not come within ${bodyTimeout} ms`)),
    bodyTimeout,
  );
  // A server that ends must not wait for the rest.
  const stop = () => reject(signal?.reason);
  signal?.addEventListener("abort", stop, { once: true });
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await Promise.race([reader.read(), late]);
      if (done) break;
      size += value.byteLength;
      if (size > maxBodyBytes) throw tooLarge();
      parts.push(value);
    }
  } catch (error) {
    reader.cancel().catch(() => {});
    if (error instanceof HfmsError) throw error;
    throw new HfmsError("aborted", "the connection broke off before the body was complete", { cause: error });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
  return decode(Buffer.concat(parts));
}

/** Making one takes longer than most bodies do. */
const utf8 = new TextDecoder("utf-8", { fatal: true });

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    throw new HfmsError("invalid_request", "the body is not UTF-8", { cause });
  }
}

function parse(text: string): unknown {
  if (text.trim() === "") {
    throw new HfmsError("invalid_request", "the body is empty", { hint: "send a JSON object" });
  }
  if (depthOf(text) > MAX_DEPTH) {
    throw new HfmsError("invalid_request", `the body is nested deeper than ${MAX_DEPTH} levels`);
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new HfmsError("invalid_request", `the body is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** How many brackets are open at once, at most; those in strings do not count. */
function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === "[" || char === "{") deepest = Math.max(deepest, ++depth);
    else if (char === "]" || char === "}") depth--;
    else if (char === '"') at = endOfString(text, at);
  }
  return deepest;
}

function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}

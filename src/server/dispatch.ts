import { randomUUID } from "node:crypto";
import type { H3Event } from "h3";
import { type ErrorCode, HfmsError } from "../core/index.js";
import type { Outcome } from "./activity.js";
import type { ServerContext } from "./context.js";
import type { Dialect } from "./dialects/types.js";
import { explained, outcomeOf } from "./failure.js";
import { authorize, challenge } from "./middleware/authorization.js";
import { readBody } from "./middleware/body.js";
import { checkHost, checkOrigin, preflight } from "./middleware/caller.js";
import { compressed } from "./middleware/compression.js";
import type { Route, RouteRequest } from "./route.js";

/** Answers one request of a route: every way in and out of the server is here. */
export type Answer = (event: H3Event) => Promise<Response>;

/**
 * Looks at who calls, reads the body, lets the route answer, and turns whatever it throws into an error of the dialect.
 * Events that stream end their request themselves; everything else ends here.
 */
export function dispatch(route: Route, dialect: Dialect, server: ServerContext): Answer {
  const name = `${route.method} ${route.paths[0]}`;
  return async (event) => {
    const { req } = event;
    const start = performance.now();
    const id = requestId(req.headers);
    const stop = new AbortController();
    const leave = (): void => stop.abort();
    req.signal.addEventListener("abort", leave, { once: true });
    const activity = server.activities.begin(id, name, stop);
    let key: string | undefined;
    let cors: Record<string, string> = {};
    let status = 200;
    const end = (outcome: Outcome, error?: HfmsError): void => {
      clearTimeout(deadline);
      req.signal.removeEventListener("abort", leave);
      if (!server.activities.end(activity, outcome)) return;
      server.log.access({
        id,
        method: req.method,
        route: route.paths[0],
        status,
        ms: performance.now() - start,
        outcome,
        routine: isRoutine(route),
        ...(key !== undefined && { key }),
        ...(activity.model !== undefined && { model: activity.model.slice(0, 100) }),
        ...(activity.promptTokens > 0 && { prompt_tokens: activity.promptTokens }),
        ...(activity.completionTokens > 0 && { completion_tokens: activity.completionTokens }),
        ...(error && { error: error.code }),
      });
    };
    const deadline = startDeadline(server.config.requestTimeout, stop);
    const finish = (response: Response): Response => {
      const headers = response.headers;
      headers.set("x-request-id", id);
      headers.set("x-content-type-options", "nosniff");
      headers.set("openai-processing-ms", String(Math.round(performance.now() - start)));
      for (const [header, value] of Object.entries(cors)) headers.set(header, value);
      if (ending(server)) headers.set("connection", "close");
      return response;
    };
    try {
      checkHeaders(req.headers, server);
      checkHost(req, server.config);
      cors = checkOrigin(req, server.config);
      key = authorize(req.headers, route.scope, server.keys)?.name;
      refuseLate(route, server);
      refuseMany(route, server);
      const body = route.body ? await readBody(req, route.body, server.config, stop.signal) : undefined;
      const request: RouteRequest = {
        body,
        params: decodedParams(event.context.params),
        query: event.url.searchParams,
        headers: req.headers,
        id,
        created: Math.floor(Date.now() / 1000),
        signal: stop.signal,
        stop,
        activity,
        end,
        server,
      };
      activity.state = "waiting";
      const response = toResponse(await route.handle(request));
      status = response.status;
      if (isEventStream(response)) return finish(response);
      const sent = server.config.compression && !isLocal(event) ? await compressed(response, req) : response;
      end(status < 400 ? "completed" : "refused");
      return finish(sent);
    } catch (thrown) {
      const error = explained(thrown, stop.signal);
      if (error.code === "internal_error") server.log.failure(error, id);
      status = error.status;
      end(outcomeOf(error), error);
      return finish(errorResponse(error, dialect, req.headers));
    }
  };
}

/** The answer to OPTIONS of any path. */
export function answerPreflight(server: ServerContext, dialect: Dialect): (event: H3Event) => Response {
  return ({ req }) => {
    try {
      checkHost(req, server.config);
      return preflight(req, checkOrigin(req, server.config));
    } catch (thrown) {
      return errorResponse(explained(thrown), dialect, req.headers);
    }
  };
}

/** Of the failures here, those that another try may not meet. */
const passing = new Set<ErrorCode>([
  "hub_error",
  "hub_unreachable",
  "download_failed",
  "out_of_memory",
  "overloaded",
  "model_loading",
]);

/** An error as a dialect's clients read it. */
export function errorResponse(error: HfmsError, dialect: Dialect, headers: Headers): Response {
  const { status } = error;
  const response = Response.json(dialect.errorBody(error), { status });
  if (status === 401) response.headers.set("www-authenticate", challenge(headers));
  // The official clients try again at every 5xx: of what would fail again, they should not.
  if (status >= 500 && !passing.has(error.code)) response.headers.set("x-should-retry", "false");
  const retryAfter = error.retryAfter ?? (status === 429 || passing.has(error.code) ? 1 : undefined);
  if (retryAfter !== undefined) {
    response.headers.set("retry-after", String(Math.ceil(retryAfter)));
    // They look at this first: whole seconds are long for what takes a part of one.
    response.headers.set("retry-after-ms", String(Math.ceil(retryAfter * 1000)));
  }
  return response;
}

/** Callers may name their requests; what is no plain word is named anew. */
function requestId(headers: Headers): string {
  const given = headers.get("x-request-id");
  return given !== null && /^[\w.:-]{1,128}$/.test(given) ? given : `req_${randomUUID().replaceAll("-", "")}`;
}

function startDeadline(ms: number, stop: AbortController): NodeJS.Timeout | undefined {
  if (ms <= 0) return undefined;
  const late = () =>
    stop.abort(
      new HfmsError("request_timeout", `the answer took longer than ${ms} ms`, {
        hint: "ask for fewer tokens, or start the server with a larger --request-timeout",
      }),
    );
  return setTimeout(late, ms).unref();
}

function checkHeaders(headers: Headers, { config }: ServerContext): void {
  let size = 0;
  for (const [name, value] of headers) size += name.length + value.length + 4;
  if (size <= config.maxHeaderBytes) return;
  throw new HfmsError("payload_too_large", `the headers are longer than ${config.maxHeaderBytes} bytes`);
}

/** While the server ends, it only says how it is. */
function refuseLate(route: Route, server: ServerContext): void {
  if (isRoutine(route) || !ending(server)) return;
  throw new HfmsError("overloaded", "the server is about to stop", { hint: "try again", retryAfter: 5 });
}

/** A queue without an end would only make everybody wait longer than they are willing to. */
function refuseMany(route: Route, { activities, config }: ServerContext): void {
  if (isRoutine(route) || activities.active.length <= config.maxRequests) return;
  throw new HfmsError("rate_limit_exceeded", `${config.maxRequests} requests are being answered already`, {
    hint: "try again in a second",
    retryAfter: 1,
  });
}

/** What pages and probes ask again and again. */
function isRoutine({ method, tag }: Route): boolean {
  return method === "GET" && (tag === "Operations" || tag === "Documentation");
}

function ending({ lifecycle }: ServerContext): boolean {
  return lifecycle.state === "draining" || lifecycle.state === "stopped";
}

function decodedParams(params: Record<string, string> = {}): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, text]) => [name, decodeURIComponent(text)]));
  } catch (cause) {
    throw new HfmsError("invalid_request", "the address is not well encoded", { cause });
  }
}

function toResponse(value: unknown): Response {
  if (value instanceof Response) return value;
  const body = JSON.stringify(value);
  return new Response(body, {
    headers: { "content-type": "application/json", "content-length": String(Buffer.byteLength(body)) },
  });
}

function isEventStream(response: Response): boolean {
  return response.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
}

function isLocal({ req }: H3Event): boolean {
  return /^(::ffff:)?127\.|^::1$/.test(req.ip ?? "");
}

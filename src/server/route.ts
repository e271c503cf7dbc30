import type { ZodType } from "zod";
import type { HfmsError } from "../core/index.js";
import type { Activity, Outcome } from "./activity.js";
import type { ServerContext } from "./context.js";

/** Who may call a route where API keys exist: anyone, any key, or a key of the scope `admin`. */
export type Scope = "public" | "infer" | "admin";

/**
 * One operation of the API, and all that its documentation needs. A handler gets a checked body and returns what is
 * sent as JSON, or a Response of its own. What it throws becomes an error body; it catches nothing.
 */
export interface Route<Body = unknown> {
  method: "GET" | "POST" | "DELETE";
  /**
   * The first is the documented one. `:name` is one segment, `**:name` the rest of the path; both come decoded in
   * `params`.
   */
  paths: [string, ...string[]];
  scope: Scope;
  /** One lowercase fragment: "answer a conversation". */
  summary: string;
  description?: string;
  tag: "Chat" | "Text" | "Vectors" | "Models" | "Responses" | "Operations" | "Documentation";
  body?: ZodType<Body>;
  /** A body as the documentation shows it: it fits the schema and does something. */
  example?: object;
  /** Names and meanings of the query string's parameters. */
  query?: Record<string, string>;
  /** What is sent as JSON; or the media type of something else. */
  response: ZodType | string;
  /** One event of the stream, where the route can stream. */
  events?: ZodType;
  handle(request: RouteRequest<Body>): Promise<unknown>;
}

/** Keeps the type of the body between a route's schema and its handler. */
export function route<Body>(definition: Route<Body>): Route {
  return definition as Route;
}

export interface RouteRequest<Body = unknown> {
  body: Body;
  params: Record<string, string>;
  query: URLSearchParams;
  headers: Headers;
  /** The request's id: `x-request-id` of the response. */
  id: string;
  /** Seconds since 1970, when it came. */
  created: number;
  /** Fires when the client has left, the time is over, or the server stops. */
  signal: AbortSignal;
  /** Ends this request's work: fires `signal`. */
  stop: AbortController;
  /** What /status tells of it. */
  activity: Activity;
  /** Counts and logs its end, once. Only what streams calls it: everything else ends when its handler returns. */
  end(outcome: Outcome, error?: HfmsError): void;
  server: ServerContext;
}

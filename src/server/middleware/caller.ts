import { HfmsError } from "../../core/index.js";
import type { ServerConfig } from "../config/schema.js";

/** Methods and headers that pages of other origins may use. */
const ALLOWED_METHODS = "GET, POST, DELETE, OPTIONS";
const EXPOSED_HEADERS = "x-request-id, openai-processing-ms, retry-after, retry-after-ms, x-should-retry";
const PREFLIGHT_SECONDS = "600";

/**
 * Refuses host names that the server does not know: a page on evil.example whose name was made to mean this machine
 * (DNS rebinding) is of no other origin to the browser. Addresses can't be rebound, so they all pass.
 */
export function checkHost(request: Request, { host, allowedHosts }: ServerConfig): void {
  if (allowedHosts.includes("*")) return;
  const header = request.headers.get("host") ?? "";
  const name = hostName(header);
  if (name === "localhost" || name.endsWith(".localhost") || isAddress(name) || name === host.toLowerCase())
    return;
  if (allowedHosts.some((allowed) => allowed.toLowerCase() === name)) return;
  throw new HfmsError(
    "permission_denied",
    `the server is not called ${JSON.stringify(header.slice(0, 200))}`,
    {
      hint: "start it with --allowed-host and that name if it is",
    },
  );
}

/**
 * Refuses pages of origins that were not allowed, and returns the headers that let the allowed ones read the answer
 * (WHATWG Fetch, CORS protocol). Callers without an `origin` are no web pages.
 */
export function checkOrigin(request: Request, { corsOrigins }: ServerConfig): Record<string, string> {
  const origin = request.headers.get("origin");
  if (origin === null) return {};
  if (sameOrigin(origin, request)) return {};
  const any = corsOrigins.includes("*");
  if (!any && !corsOrigins.includes(origin)) {
    throw new HfmsError("permission_denied", `pages of ${origin.slice(0, 200)} may not call this server`, {
      hint: `start it with --cors-origin ${origin.slice(0, 200)} to allow that`,
    });
  }
  return {
    "access-control-allow-origin": any ? "*" : origin,
    "access-control-expose-headers": EXPOSED_HEADERS,
    vary: "origin",
  };
}

/** The answer to a browser's question before a request. */
export function preflight(request: Request, allowed: Record<string, string>): Response {
  return new Response(null, {
    status: 204,
    headers: {
      ...allowed,
      "access-control-allow-methods": ALLOWED_METHODS,
      "access-control-allow-headers":
        request.headers.get("access-control-request-headers") ?? "authorization, content-type",
      "access-control-max-age": PREFLIGHT_SECONDS,
      vary: "origin, access-control-request-headers",
    },
  });
}

function sameOrigin(origin: string, request: Request): boolean {
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  // Behind a proxy that ends TLS, the page is https and the request http.
  return url !== undefined && url.host === request.headers.get("host");
}

function hostName(header: string): string {
  return header
    .replace(/:\d+$/, "")
    .replace(/^\[(.*)\]$/, "$1")
    .replace(/\.$/, "")
    .toLowerCase();
}

function isAddress(name: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(name) || /^[\da-f:.]*:[\da-f:.]*$/.test(name);
}

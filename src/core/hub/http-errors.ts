import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import { printable } from "./model-id.js";

/** Statuses that pass by themselves. */
export function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

const MAX_RETRY_AFTER_MS = 30_000;

/** The Retry-After header in milliseconds: seconds, or a date. */
export function retryAfterMs(headers: Record<string, string>): number | undefined {
  const value = headers["retry-after"];
  if (!value) return undefined;
  const milliseconds = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(milliseconds) ? Math.min(Math.max(milliseconds, 0), MAX_RETRY_AFTER_MS) : undefined;
}

/** Anything but JSON of the expected shape: a login page of the network, or a server that is no Hub. */
export function notAHub(endpoint: string, cause: unknown): HfmsError {
  return new HfmsError("hub_error", `${endpoint} does not answer like a Hub`, {
    hint: "check HF_ENDPOINT; on a network with a login page, sign in there first",
    cause,
  });
}

interface Refusal {
  status: number;
  headers: Record<string, string>;
  url: URL;
  id: string;
  revision: string;
  endpoint: string;
  file?: string;
  hasToken: boolean;
}

/** What a status of the Hub means, told apart by X-Error-Code as huggingface_hub does (utils/_http.py). */
export function statusError(refusal: Refusal): HfmsError {
  const { status, headers, id, revision, endpoint, file } = refusal;
  const code = headers["x-error-code"];
  const message = printable(headers["x-error-message"] ?? "");
  const badToken = status === 401 && /invalid credentials/i.test(message);
  if (code === "GatedRepo") return gated(refusal);
  if (code === "RevisionNotFound") {
    return new HfmsError("revision_not_found", `${id} has no branch, tag or commit "${revision}"`, {
      hint: `the branches are listed at ${endpoint}/${id}/tree/main`,
      param: "revision",
    });
  }
  if (code === "EntryNotFound") {
    return new HfmsError(
      "model_not_found",
      `${id} has no file ${file ?? ""} at ${revision}`.replace("  ", " "),
    );
  }
  // The Hub answers 401 for what does not exist when nobody is signed in, so that private names don't leak.
  if (code === "RepoNotFound" || status === 404 || (status === 401 && !badToken && !refusal.hasToken)) {
    return new HfmsError("model_not_found", `no model named "${id}" on ${endpoint}`, {
      hint: refusal.hasToken
        ? "check the spelling; if it is private, the token's account may not see it"
        : "check the spelling; if it is private, set HF_TOKEN to a token that may read it",
      param: "model",
    });
  }
  if (status === 401) {
    return new HfmsError("unauthorized", `${endpoint} does not accept the token`, {
      hint: "set HF_TOKEN to a valid one, or unset it for public models",
    });
  }
  if (status === 403) {
    return new HfmsError("unauthorized", `${endpoint} refuses ${id}${message ? `: ${message}` : ""}`, {
      hint: "the token may lack the permission to read this repository",
    });
  }
  const said = message ? ` (${message})` : "";
  return new HfmsError("hub_error", `${refusal.url.host} answers ${status} for ${id}${said}`, {
    hint:
      status === 429
        ? "too many requests: wait some minutes, or set HF_TOKEN"
        : "the fault is on the other side: try again later",
  });
}

function gated({ id, endpoint, status, hasToken }: Refusal): HfmsError {
  const page = `${endpoint}/${id}`;
  return status === 401 || !hasToken
    ? new HfmsError("gated_model", `${id} is gated: its authors ask you to accept their terms first`, {
        hint: `accept them at ${page}, then set HF_TOKEN to a token of that account`,
      })
    : new HfmsError("gated_model", `${id} is gated and the token's account has no access to it`, {
        hint: `ask for access at ${page}; some authors look at each request`,
      });
}

interface Failure {
  error: unknown;
  url: URL;
  proxy: Config["proxy"];
}

/** What the network throws, as one sentence that names the host and the reason. */
export function networkError({ error, url, proxy }: Failure): HfmsError {
  if (error instanceof HfmsError) return error;
  const code = errorCode(error);
  const proxied = url.protocol === "https:" ? proxy.https : proxy.http;
  const through = proxied ? ` (proxy ${proxyHost(proxied)})` : "";
  if (certificateCodes.test(code)) {
    return new HfmsError("hub_unreachable", `the certificate of ${url.origin} is not trusted (${code})`, {
      hint: "behind a proxy that opens TLS, set NODE_EXTRA_CA_CERTS to its certificate",
      cause: error,
    });
  }
  const reason = reasons[code] ?? String((error as Error)?.message ?? error);
  return new HfmsError("hub_unreachable", `can't reach ${url.origin}${through}: ${reason}`, {
    hint: "check the network and HTTPS_PROXY, or set HF_ENDPOINT to a mirror; models in the cache and local paths work without it",
    cause: error,
  });
}

const certificateCodes = /CERT|SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|ERR_TLS/;

const reasons: Record<string, string> = {
  ENOTFOUND: "the name does not resolve (ENOTFOUND)",
  EAI_AGAIN: "the name does not resolve for now (EAI_AGAIN)",
  ECONNREFUSED: "nothing listens there (ECONNREFUSED)",
  EHOSTUNREACH: "no route to the host (EHOSTUNREACH)",
  ENETUNREACH: "no network (ENETUNREACH)",
  ETIMEDOUT: "no answer in time (ETIMEDOUT)",
  UND_ERR_CONNECT_TIMEOUT: "the connection does not open in time",
  UND_ERR_HEADERS_TIMEOUT: "no answer in time",
  UND_ERR_BODY_TIMEOUT: "the answer stopped half-way",
  ECONNRESET: "the connection was reset (ECONNRESET)",
  UND_ERR_SOCKET: "the connection was closed",
};

/** undici and happy eyeballs wrap what the system said: in `cause`, or in a list of errors. */
function errorCode(error: unknown): string {
  for (let current = error, depth = 0; current && depth < 5; depth++) {
    const { code, errors, cause } = current as { code?: string; errors?: unknown[]; cause?: unknown };
    if (typeof code === "string") return code;
    current = errors?.[0] ?? cause;
  }
  return "";
}

function proxyHost(proxy: string): string {
  return URL.parse(proxy.includes("://") ? proxy : `http://${proxy}`)?.host ?? "of the environment";
}

/** HF_HUB_OFFLINE is set and these files are not here. */
export function offlineWithout(id: string, files: string[]): HfmsError {
  const names = files.slice(0, 5).join(", ") + (files.length > 5 ? ` and ${files.length - 5} more` : "");
  return new HfmsError("offline", `the cache lacks ${names} of ${id} and HF_HUB_OFFLINE allows no request`, {
    hint: "unset HF_HUB_OFFLINE, or `hfms pull` it while online",
  });
}

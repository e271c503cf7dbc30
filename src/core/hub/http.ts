import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type { Dispatcher } from "undici";
import type { Config } from "../config.js";
import { HfmsError, throwIfAborted } from "../errors.js";
import { isTransientStatus, networkError, notAHub, retryAfterMs, statusError } from "./http-errors.js";

/** What a request is about, for the words of an error. */
export interface HubSubject {
  id: string;
  revision: string;
}

export interface HubResponse {
  status: number;
  headers: Record<string, string>;
  body: Readable;
  /** The address that answered, after redirects. */
  url: URL;
}

export interface OpenOptions {
  method?: "GET" | "HEAD";
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Longest silence of a body, in milliseconds. */
  idleTimeoutMs?: number;
}

/** Connections to one Hub with the machine's proxies, its token, and time limits that notice a dead Hub in seconds. */
export interface HubClient extends AsyncDisposable {
  endpoint: string;
  subject: HubSubject;
  hasToken: boolean;
  /** Follows redirects. Answers with any status; throws what the network throws. The caller must read or destroy the body. */
  open(url: string, options?: OpenOptions): Promise<HubResponse>;
  /** The same for @huggingface/hub: small answers, retried, every failure in the error table's words. */
  fetch: typeof fetch;
  /** The error that a status means for this subject. */
  fail(response: Pick<HubResponse, "status" | "headers" | "url">, file?: string): HfmsError;
  failNetwork(error: unknown, url: string | URL): HfmsError;
}

const MAX_REDIRECTS = 8;
/** The file tree of the largest repositories is some megabytes a page. */
const MAX_ANSWER_BYTES = 64_000_000;
const MAX_ATTEMPTS = 4;
/** Whoever waits for an answer sees nothing happen; a download may wait longer. */
const MAX_PATIENCE_MS = 8000;

export async function openHubClient(
  config: Config,
  subject: HubSubject,
  options: { signal?: AbortSignal; retryDelayMs?: number } = {},
): Promise<HubClient> {
  const undici = await import("undici");
  const endpoint = checkEndpoint(config.hubEndpoint);
  const token = await readToken(config);
  const agents = new Map<string, Dispatcher>();

  // HTTP_PROXY is for http: addresses and HTTPS_PROXY for https: ones; undici alone would let the first stand in for
  // the second, and would read the environment where a value is undefined.
  function agentFor(url: URL): Dispatcher {
    let agent = agents.get(url.protocol);
    if (!agent) {
      const proxy = proxyAddress(url.protocol === "https:" ? config.proxy.https : config.proxy.http);
      // HTTP/2 would put all files of a pull through one connection.
      const limits = { connectTimeout: config.connectTimeoutMs, connections: 16, allowH2: false };
      agent = proxy
        ? new undici.EnvHttpProxyAgent({
            ...limits,
            httpProxy: proxy,
            httpsProxy: proxy,
            noProxy: config.proxy.no ?? "",
          })
        : new undici.Agent(limits);
      agents.set(url.protocol, agent);
    }
    return agent;
  }

  async function open(address: string, request: OpenOptions = {}): Promise<HubResponse> {
    let url = new URL(address);
    for (let hop = 0; ; hop++) {
      const headers: Record<string, string> = { "user-agent": userAgent, ...request.headers };
      // A redirect to a file store must not carry the token there.
      if (token && url.origin === new URL(endpoint).origin) headers.authorization = `Bearer ${token}`;
      const response = await undici.request(url, {
        dispatcher: agentFor(url),
        method: request.method ?? "GET",
        headers,
        signal: request.signal ?? options.signal,
        headersTimeout: 3 * config.connectTimeoutMs,
        bodyTimeout: request.idleTimeoutMs ?? 4 * config.connectTimeoutMs,
      });
      const location = response.headers.location;
      const status = response.statusCode;
      if (![301, 302, 303, 307, 308].includes(status) || !location) {
        // A body that is destroyed unread reports its own end as an error; whoever reads it still gets the others.
        response.body.on("error", () => {});
        return { status, headers: flat(response.headers), body: response.body, url };
      }
      await response.body.dump();
      if (hop === MAX_REDIRECTS) throw new HfmsError("hub_error", `${url.origin} redirects in a circle`);
      url = new URL(String(location), url);
      if (!/^https?:$/.test(url.protocol)) {
        throw new HfmsError("hub_error", `${endpoint} redirects to an address that is not HTTP`);
      }
    }
  }

  const client: HubClient = {
    endpoint,
    subject,
    hasToken: token !== undefined,
    open,
    fetch: async (input, init) => {
      const url = String(input instanceof Request ? input.url : input);
      for (let attempt = 1; ; attempt++) {
        let wait: number;
        try {
          const response = await open(url, { headers: plainHeaders(init?.headers) });
          if (response.status < 300) return await toResponse(response, endpoint);
          response.body.destroy();
          if (!isTransientStatus(response.status) || attempt === MAX_ATTEMPTS) throw client.fail(response);
          wait = Math.min(
            retryAfterMs(response.headers) ?? backoff(attempt, options.retryDelayMs),
            MAX_PATIENCE_MS,
          );
        } catch (error) {
          throwIfAborted(options.signal);
          if (error instanceof HfmsError) throw error;
          if (!isBrokenConnection(error) || attempt === MAX_ATTEMPTS) throw client.failNetwork(error, url);
          wait = backoff(attempt, options.retryDelayMs);
        }
        await pause(wait, options.signal);
      }
    },
    fail: (response, file) =>
      statusError({ ...response, ...subject, endpoint, file, hasToken: client.hasToken }),
    failNetwork: (error, url) => networkError({ error, url: new URL(url), proxy: config.proxy }),
    async [Symbol.asyncDispose]() {
      await Promise.all([...agents.values()].map((agent) => agent.destroy()));
    },
  };
  return client;
}

const { version } = createRequire(import.meta.url)("../../../package.json") as { version: string };
const userAgent = `hfms/${version}; node/${process.versions.node}`;

/** Delay before attempt n + 1, in milliseconds. */
export function backoff(attempt: number, base = 500): number {
  return Math.min(base * 2 ** (attempt - 1), 16 * base);
}

export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => throwIfAborted(signal));
}

/** HF_ENDPOINT as the environment gives it: an http(s) address with, perhaps, a path. */
function checkEndpoint(endpoint: string): string {
  const url = URL.parse(endpoint);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) {
    throw new HfmsError("invalid_request", `HF_ENDPOINT is not the address of a Hub: "${endpoint}"`, {
      hint: "it looks like https://huggingface.co",
    });
  }
  return endpoint;
}

async function readToken(config: Config): Promise<string | undefined> {
  const token = config.hubToken ?? (await readFile(config.hubTokenPath, "utf8").catch(() => ""));
  const trimmed = token.trim();
  if (/[^\x21-\x7e]/.test(trimmed)) {
    throw new HfmsError("unauthorized", "the Hub token has characters that no token has", {
      hint: `check HF_TOKEN and ${config.hubTokenPath}`,
    });
  }
  return trimmed || undefined;
}

function proxyAddress(proxy: string | undefined): string | undefined {
  if (!proxy) return undefined;
  const address = proxy.includes("://") ? proxy : `http://${proxy}`;
  if (!URL.canParse(address)) {
    throw new HfmsError("invalid_request", "the proxy of HTTP_PROXY or HTTPS_PROXY is not an address", {
      hint: "it looks like http://proxy.example:3128",
    });
  }
  return address;
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(", ") : (value ?? ""),
    ]),
  );
}

function plainHeaders(headers: RequestInit["headers"]): Record<string, string> {
  return Object.fromEntries(new Headers(headers).entries());
}

async function toResponse(answer: HubResponse, endpoint: string): Promise<Response> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) {
      answer.body.destroy();
      throw new HfmsError(
        "hub_error",
        `${answer.url.origin} answers with more than ${MAX_ANSWER_BYTES} bytes`,
      );
    }
    chunks.push(chunk);
  }
  try {
    JSON.parse(Buffer.concat(chunks).toString());
  } catch (error) {
    throw notAHub(endpoint, error);
  }
  const { "content-encoding": _, "content-length": __, ...headers } = answer.headers;
  return new Response(Buffer.concat(chunks), { status: answer.status, headers });
}

function isBrokenConnection(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? "";
  return ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(code);
}

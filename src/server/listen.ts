import type { Server } from "node:http";
import { HfmsError } from "../core/index.js";
import type { HfmsServer } from "./app.js";

export interface Listening {
  /** Where it can be reached from this machine. */
  url: string;
  urls: string[];
  server: Server;
  /** Takes no new connections, and returns when the open ones have ended. */
  close(): Promise<void>;
}

/** Opens the socket. Throws address_unavailable. */
export async function listenTo({ listener, context }: HfmsServer): Promise<Listening> {
  const { host, port, headersTimeout, bodyTimeout, connectionKeepAlive, maxConnections } = context.config;
  const { listen } = await import("listhen");
  let listening: Awaited<ReturnType<typeof listen>>;
  try {
    listening = await listen((request, response) => void listener(request, response), {
      hostname: host,
      // This port, and no other that happens to be free.
      port: { port, random: port === 0 },
      isProd: true,
      public: isAny(host),
      showURL: false,
      qr: false,
      clipboard: false,
      open: false,
      isTest: true,
      autoClose: false,
    });
  } catch (cause) {
    throw unavailable(`port ${port} of ${host} is in use or may not be used`, cause);
  }
  const server = listening.server as Server;
  const { port: bound } = listening.address;
  if (port !== 0 && bound !== port) {
    // get-port-please takes 3000 instead of a port that browsers refuse to open.
    await new Promise((resolve) => server.close(resolve));
    throw unavailable(`browsers open no pages of port ${port}: it is another protocol's`);
  }
  withoutShutdown(server);
  server.headersTimeout = headersTimeout;
  server.requestTimeout = headersTimeout + bodyTimeout;
  server.keepAliveTimeout = connectionKeepAlive;
  server.maxConnections = maxConnections;
  const local = `http://${nameOf(host)}:${bound}`;
  const found = (await listening.getURLs({ extraURLs: [] })).map(({ url }) => url.replace(/\/$/, ""));
  return {
    url: local,
    urls: [...new Set([local, ...found])],
    server,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function unavailable(message: string, cause?: unknown): HfmsError {
  return new HfmsError("address_unavailable", message, {
    hint: "choose another with --port, or end the program that has it",
    param: "port",
    cause,
  });
}

/**
 * listhen adds http-shutdown 1.2.2 to the server, which marks the socket of every finished request: when the socket is
 * gone by then, that throws where nothing catches it, and ends the process (github.com/thedillonb/http-shutdown,
 * index.js). Node itself closes idle connections since 18.2.
 */
function withoutShutdown(server: Server): void {
  const [, ...added] = server.listeners("request");
  for (const listener of added) server.off("request", listener as () => void);
}

function isAny(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

/** An address that one can connect to, for one that one can listen on. */
function nameOf(host: string): string {
  if (host === "0.0.0.0") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

import { type DestinationStream, pino } from "pino";
import type { ServerConfig } from "./config/schema.js";

/** What is told of a request when it has ended. Neither headers nor bodies nor query strings: they hold secrets. */
export interface AccessEntry {
  id: string;
  method: string;
  /** Path of the route, not of the request: no caller writes into the log. */
  route: string;
  status: number;
  ms: number;
  outcome: string;
  /** Asked again and again by pages and probes: of interest only to who looks for faults. */
  routine: boolean;
  /** The API key's name. */
  key?: string;
  model?: string;
  prompt_tokens?: number;
  completion_tokens?: number;
  error?: string;
}

/** Where a server says what happens. */
export interface ServerLog {
  access(entry: AccessEntry): void;
  /** An error that hfms did not expect. */
  failure(error: Error, id: string): void;
  say(message: string): void;
}

export const silentLog: ServerLog = { access: () => {}, failure: () => {}, say: () => {} };

/** A log on stderr: lines for people, or JSON for machines. */
export async function openLog({ logLevel, logFormat }: ServerConfig): Promise<ServerLog> {
  const log = pino({ level: logLevel }, logFormat === "json" ? pino.destination(2) : await forPeople());
  return {
    access({ method, route, status, ms, routine, ...more }) {
      const level = more.outcome === "failed" ? "error" : routine ? "debug" : "info";
      log[level]({ ...more, status, ms: Math.round(ms) }, `${method} ${route} ${status}`);
    },
    failure: (error, id) => log.error({ id, err: error.cause ?? error }, error.message),
    say: (message) => log.info(message),
  };
}

async function forPeople(): Promise<DestinationStream> {
  const { default: pretty } = await import("pino-pretty");
  return pretty({
    destination: 2,
    sync: true,
    ignore: "pid,hostname,id",
    translateTime: "SYS:HH:MM:ss",
    singleLine: true,
  });
}

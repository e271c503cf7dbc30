import { deviceNames, dtypes } from "../../core/index.js";
import { LONGEST_DURATION } from "./quantity.js";
import type { ServerConfig } from "./schema.js";

/** What a setting's values look like, and how they are read: `schema.ts` has the zod type of each kind. */
type Value<T> = [T] extends [boolean]
  ? { kind: "switch"; default: boolean }
  : [T] extends [number]
    ? { kind: "count" | "size"; min: number; max: number; default: number } | DurationValue
    : [T] extends [string[]]
      ? { kind: "list"; item: ListItem; secret?: boolean; default: string[] }
      : { kind: "choice"; options: readonly T[]; default: T } | { kind: "host" | "file"; default: string };

export type ListItem = "name" | "host" | "origin" | "key";

interface DurationValue {
  kind: "duration";
  min: number;
  max: number;
  /** What 0 means, where it is no time at all. */
  zero?: string;
  /** A negative one is for ever. */
  forever?: boolean;
  default: number;
}

interface Named {
  /** The flag of `hfms serve`, or its arguments. Of lists, the flag takes one item and may be repeated. */
  flag: string;
  /** Of the flag, where it has one letter. */
  char?: "p";
  /** What is shown in the place of the flag's value. */
  helpValue?: string;
  group: "LISTEN" | "ACCESS" | "MODEL" | "TIME" | "LIMIT" | "SERVER";
  /** One lowercase fragment. */
  summary: string;
}

type Definitions = { [field in keyof ServerConfig]: Named & Value<ServerConfig[field]> };
export type Setting = Definitions[keyof ServerConfig];
export type SettingName = keyof ServerConfig;

const SECOND = 1000;
const MINUTE = 60_000;
const DAY = 86_400_000;

/**
 * Every setting of the server, in one place: its flag, its variable HF_SERVER_…, its field in the config file, what it
 * may be, and its default all come from here.
 */
export const settings = {
  host: {
    flag: "host",
    group: "LISTEN",
    kind: "host",
    helpValue: "<address>",
    default: "127.0.0.1",
    summary: "address to listen on; 0.0.0.0 is all of IPv4, :: all there are",
  },
  port: {
    flag: "port",
    char: "p",
    group: "LISTEN",
    kind: "count",
    min: 0,
    max: 65_535,
    default: 8000,
    summary: "port to listen on; 0 takes a free one",
  },
  insecure: {
    flag: "insecure",
    group: "LISTEN",
    kind: "switch",
    default: false,
    summary: "let other machines in although there is no API key",
  },
  apiKeys: {
    flag: "api-key",
    group: "ACCESS",
    kind: "list",
    item: "key",
    secret: true,
    helpValue: "<key>",
    default: [],
    summary:
      "a key that callers may show, besides those of `hfms keys`; other users of the machine see flags",
  },
  keyFile: {
    flag: "key-file",
    group: "ACCESS",
    kind: "file",
    helpValue: "<file>",
    // Depends on the machine: beside the Hub's token.
    default: "",
    summary: "file of the keys that `hfms keys` makes; default hfms-keys.json in HF_HOME",
  },
  corsOrigins: {
    flag: "cors-origin",
    group: "ACCESS",
    kind: "list",
    item: "origin",
    helpValue: "<origin>",
    default: [],
    summary: "origin of web pages that may call, like https://app.example.com; * is any",
  },
  allowedHosts: {
    flag: "allowed-host",
    group: "ACCESS",
    kind: "list",
    item: "host",
    helpValue: "<name>",
    default: [],
    summary: "name under which the server may be called, besides its addresses and localhost; * is any",
  },
  models: {
    flag: "models",
    group: "MODEL",
    kind: "list",
    item: "name",
    default: [],
    summary: "loaded at the start and kept",
  },
  modelAccess: {
    flag: "model-access",
    group: "MODEL",
    kind: "choice",
    options: ["any", "local", "listed"],
    helpValue: "<which>",
    default: "any",
    summary: "models that requests may name: any of the Hub, those on this machine's disk, or only MODELS",
  },
  dtype: {
    flag: "dtype",
    group: "MODEL",
    kind: "choice",
    options: dtypes,
    helpValue: "<dtype>",
    default: "auto",
    summary: "number format of the weights",
  },
  device: {
    flag: "device",
    group: "MODEL",
    kind: "choice",
    options: ["auto", ...deviceNames],
    helpValue: "<device>",
    default: "auto",
    summary: "hardware to run on",
  },
  requireDevice: {
    flag: "require-device",
    group: "MODEL",
    kind: "switch",
    default: false,
    summary: "fail when the device can't be used, instead of falling back to the CPU",
  },
  keepAlive: {
    flag: "keep-alive",
    group: "MODEL",
    kind: "duration",
    min: -1,
    max: LONGEST_DURATION,
    zero: "unload at once",
    forever: true,
    default: 5 * MINUTE,
    summary: "how long an idle model stays in memory",
  },
  loadTimeout: {
    flag: "load-timeout",
    group: "TIME",
    kind: "duration",
    min: 0,
    max: DAY,
    default: MINUTE,
    summary: "a request waits so long for its model to be loaded; then it is told to come back",
  },
  requestTimeout: {
    flag: "request-timeout",
    group: "TIME",
    kind: "duration",
    min: 0,
    max: DAY,
    zero: "no limit",
    default: 10 * MINUTE,
    summary: "an answer must be complete by then",
  },
  headersTimeout: {
    flag: "headers-timeout",
    group: "TIME",
    kind: "duration",
    min: 100,
    max: DAY,
    default: 10 * SECOND,
    summary: "a request's headers must have come by then",
  },
  bodyTimeout: {
    flag: "body-timeout",
    group: "TIME",
    kind: "duration",
    min: 100,
    max: DAY,
    default: MINUTE,
    summary: "a request's body must have come by then",
  },
  connectionKeepAlive: {
    flag: "connection-keep-alive",
    group: "TIME",
    kind: "duration",
    min: 0,
    max: DAY,
    // Longer than the minute for which most proxies keep theirs: the one who closes first must not be the server.
    default: 75 * SECOND,
    summary: "an idle connection stays open for so long",
  },
  pingInterval: {
    flag: "ping-interval",
    group: "TIME",
    kind: "duration",
    min: 0,
    max: DAY,
    zero: "never",
    default: 15 * SECOND,
    summary: "silence in a stream after which a comment is sent",
  },
  drainTimeout: {
    flag: "drain-timeout",
    group: "TIME",
    kind: "duration",
    min: 0,
    max: DAY,
    default: 10 * SECOND,
    summary: "answers may go on for so long after SIGTERM or Ctrl-C",
  },
  maxConnections: {
    flag: "max-connections",
    group: "LIMIT",
    kind: "count",
    min: 1,
    max: 65_535,
    default: 1024,
    summary: "connections at the same time",
  },
  maxRequests: {
    flag: "max-requests",
    group: "LIMIT",
    kind: "count",
    min: 1,
    max: 65_535,
    default: 256,
    summary: "requests that are answered or wait at the same time; more are told to come back",
  },
  maxBodyBytes: {
    flag: "max-body-bytes",
    group: "LIMIT",
    kind: "size",
    min: 1024,
    max: 2 ** 30,
    helpValue: "<size>",
    default: 10_000_000,
    summary: "size of a request's body",
  },
  maxHeaderBytes: {
    flag: "max-header-bytes",
    group: "LIMIT",
    kind: "size",
    min: 1024,
    max: 2 ** 20,
    helpValue: "<size>",
    default: 16_384,
    summary: "size of a request's headers",
  },
  maxItems: {
    flag: "max-items",
    group: "LIMIT",
    kind: "count",
    min: 1,
    max: 1_000_000,
    // As many as OpenAI takes in one request for embeddings.
    default: 2048,
    summary: "texts or messages of one request",
  },
  compression: {
    flag: "compression",
    group: "SERVER",
    kind: "switch",
    default: true,
    summary: "compress answers for callers on other machines that ask for it",
  },
  page: {
    flag: "page",
    group: "SERVER",
    kind: "switch",
    default: true,
    summary: "the web page at /",
  },
  logLevel: {
    flag: "log-level",
    group: "SERVER",
    kind: "choice",
    options: ["silent", "error", "warn", "info", "debug"],
    helpValue: "<level>",
    default: "info",
    summary: "what is logged on stderr; info has a line for each request",
  },
  logFormat: {
    flag: "log-format",
    group: "SERVER",
    kind: "choice",
    options: ["text", "json"],
    helpValue: "<format>",
    default: "text",
    summary: "lines for people, or a JSON document for each",
  },
} as const satisfies Definitions;

export const settingNames = Object.keys(settings) as SettingName[];

/** `drainTimeout` is HF_SERVER_DRAIN_TIMEOUT. */
export function environmentName(field: string): string {
  return `HF_SERVER_${field.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`;
}

import { isIP } from "node:net";
import { z } from "zod";
import { parseDuration, parseSize } from "./quantity.js";
import { type ListItem, type Setting, type SettingName, settingNames, settings } from "./settings.js";

/** Everything that an operator decides. Times are milliseconds, sizes bytes. */
export interface ServerConfig {
  host: string;
  port: number;
  /** Listen on other than loopback addresses although there is no API key. */
  insecure: boolean;
  /** Keys given by flag or environment, in clear; they have the scopes `infer` and `admin`. */
  apiKeys: string[];
  /** File of the keys that `hfms keys` makes. */
  keyFile: string;
  /** Origins of web pages that may call: `https://app.example.com`, or `*`. */
  corsOrigins: string[];
  /** Host names under which the server may be called, besides its own address and localhost; `*` is any. */
  allowedHosts: string[];
  /** Loaded at the start and kept; the first is what the page offers first. */
  models: string[];
  /** Which models requests may name: any of the Hub, those on this machine's disk, or those of `models`. */
  modelAccess: "any" | "local" | "listed";
  dtype: "auto" | "fp32" | "int8" | "int4";
  device: string;
  requireDevice: boolean;
  /** How long an idle model stays, unless a request says otherwise; negative: for ever. */
  keepAlive: number;
  /** Requests wait so long for a model that is being loaded; then they are told to come back. */
  loadTimeout: number;
  /** An answer must be complete by then. 0: no limit. */
  requestTimeout: number;
  /** A request's headers must have come by then, and its body. */
  headersTimeout: number;
  bodyTimeout: number;
  /** An idle connection stays open for so long. */
  connectionKeepAlive: number;
  maxConnections: number;
  /** Requests that are answered or wait at the same time, those of pages and probes aside. */
  maxRequests: number;
  maxBodyBytes: number;
  maxHeaderBytes: number;
  /** Texts or messages of one request. */
  maxItems: number;
  /** Silence in a stream after which a comment is sent. 0: never. */
  pingInterval: number;
  /** Streams may go on for so long after SIGTERM. */
  drainTimeout: number;
  compression: boolean;
  /** The web page at `/`. */
  page: boolean;
  logLevel: "silent" | "error" | "warn" | "info" | "debug";
  logFormat: "text" | "json";
}

const MAX_ITEMS = 1000;
const MAX_TEXT = 4096;
const MAX_HOST = 253;
/** Shorter keys can be guessed by trying. */
const SHORTEST_KEY = 8;
const LONGEST_KEY = 512;

/**
 * Checks one setting's value and brings it into the form of `ServerConfig`, wherever it came from: flags and the
 * environment hold text ("30s", "10MB", "a,b"), files also numbers and lists.
 */
export const serverConfigSchema = z.object(
  Object.fromEntries(settingNames.map((name) => [name, schemaOf(settings[name])])) as unknown as {
    [name in SettingName]: z.ZodType<ServerConfig[name]>;
  },
) satisfies z.ZodType<ServerConfig>;

function schemaOf(setting: Setting): z.ZodType {
  switch (setting.kind) {
    case "switch":
      return z.union([z.boolean(), z.stringbool()]);
    case "choice":
      return z.enum(setting.options as readonly string[]);
    case "count":
      return numberIn(setting, (text) => (/^\d+$/.test(text.trim()) ? Number(text) : undefined));
    case "size":
      return numberIn(setting, parseSize);
    case "duration":
      return numberIn(setting, parseDuration);
    case "list":
      return z
        .union([
          z.array(z.string()),
          z.string().transform((text) => text.split(",").filter((item) => item.trim())),
        ])
        .pipe(z.array(itemSchema(setting.item)).max(MAX_ITEMS))
        .transform((items) => [...new Set(items)]);
    case "host":
      return hostSchema();
    case "file":
      return z.string().trim().min(1).max(MAX_TEXT);
  }
}

function numberIn({ min, max }: { min: number; max: number }, parse: (text: string) => number | undefined) {
  const written = z
    .string()
    .max(MAX_TEXT)
    .transform((text) => parse(text) ?? Number.NaN);
  return z.union([z.number(), written]).pipe(z.int().min(min).max(max));
}

function itemSchema(item: ListItem): z.ZodType<string, string> {
  const text = z.string().trim().min(1).max(MAX_TEXT);
  switch (item) {
    case "key":
      // What fits into a header, and into a list with commas.
      return z.string().regex(new RegExp(`^[!-+\\--~]{${SHORTEST_KEY},${LONGEST_KEY}}$`));
    case "origin":
      return text.refine((origin) => origin === "*" || isOrigin(origin));
    case "host":
      return z.union([z.literal("*"), hostSchema()]);
    case "name":
      return text;
  }
}

/** A name or an address, in small letters and without the brackets that IPv6 has in URLs. */
function hostSchema() {
  return z
    .string()
    .trim()
    .max(MAX_HOST)
    .transform((host) => host.replace(/^\[(.*)\]$/, "$1").toLowerCase())
    .refine(
      (host) => isIP(host) > 0 || /^[a-z\d]([a-z\d-]*[a-z\d])?(\.[a-z\d]([a-z\d-]*[a-z\d])?)*$/.test(host),
    );
}

/** Browsers send scheme, host and port, nothing else. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text && /^[a-z][a-z\d+.-]*:\/\//.test(text);
}

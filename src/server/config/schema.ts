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

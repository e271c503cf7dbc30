import os from "node:os";
import path from "node:path";

/** Everything that the environment decides. `Engine.open` takes it as a value; nothing else reads `process.env`. */
export interface Config {
  /** Root of the Hugging Face folder: HF_HOME, or ~/.cache/huggingface. */
  hfHome: string;
  /** The standard Hub cache (models--org--name/…): HF_HUB_CACHE, or <hfHome>/hub. */
  hubCache: string;
  /** Graphs that hfms built, by model, commit, dtype and builder version: HFMS_CACHE, or <hfHome>/hfms. */
  hfmsCache: string;
  /** Base address of the Hub, without a trailing slash: HF_ENDPOINT. */
  hubEndpoint: string;
  /** HF_TOKEN, or the content of the token file (HF_TOKEN_PATH, or <hfHome>/token), read by the hub sources. */
  hubToken?: string;
  hubTokenPath: string;
  /** HF_HUB_OFFLINE: no request leaves the machine. */
  offline: boolean;
  proxy: { http?: string; https?: string; no?: string };
  /** Intra-op threads of the runtime: HFMS_THREADS; by default the cores this process may use. */
  threads?: number;
  /**
   * The runtime's threads wait busily for each other: for ever, never, or for so many microseconds before they sleep.
   * HFMS_SPIN. By default for ever where models run in one process, and for moments where each has its own.
   */
  spin?: boolean | number;
  /** How long a model host without requests stays, in milliseconds; negative: for ever. HFMS_KEEP_ALIVE, 5 minutes. */
  keepAlive?: number;
  /** What model hosts may take together: bytes, or up to 1 a share of the memory there is. HFMS_MEMORY, 0.8. */
  memoryBudget?: number;
  /** Sequences that a model generates at the same time: HFMS_SEQUENCES, 16. One: the caller is the only one. */
  sequences?: number;
  /** For the keys and values of a model's sequences: bytes, or up to 1 a share of the memory there is. HFMS_KV_CACHE, 25 %. */
  cacheBytes?: number;
  /** Extra folder of skill files: HFMS_SKILLS. */
  skillsDir?: string;
  /** How long a connection to the Hub may take to open before it counts as unreachable, in milliseconds. */
  connectTimeoutMs: number;
  /** HFMS_DEBUG: internal errors come with their stack, as with --debug. */
  debug?: boolean;
}

/** The environment that a child process inherits, with changes. Other files may not look at `process.env`. */
export function childEnvironment(changes: Record<string, string>): NodeJS.ProcessEnv {
  return { ...process.env, ...changes };
}

/** The variables that belong to `hfms serve`: those whose names begin with HF_SERVER_. */
export function serverEnvironment(env: NodeJS.ProcessEnv = process.env): Record<string, string> {
  const own = Object.entries(env).filter(
    (entry): entry is [string, string] => entry[0].startsWith("HF_SERVER_") && entry[1] !== undefined,
  );
  return Object.fromEntries(own);
}

/**
 * ONNX Runtime's library collects telemetry from the moment an environment is created, before its API can turn that
 * off: a device id and a database in the user's cache. It reads this variable when it is loaded.
 */
export function disableRuntimeTelemetry(env: NodeJS.ProcessEnv = process.env): void {
  env.ORT_DISABLE_TELEMETRY ??= "1";
}

const TRUE = new Set(["1", "true", "yes", "on"]);

/** Reads the environment. Names mean what they mean to huggingface_hub. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const home = env.HOME || os.homedir();
  const hfHome =
    expand(env.HF_HOME, home) ??
    path.join(expand(env.XDG_CACHE_HOME, home) ?? path.join(home, ".cache"), "huggingface");
  const threads = Number.parseInt(env.HFMS_THREADS ?? "", 10);
  return {
    hfHome,
    hubCache: expand(env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE, home) ?? path.join(hfHome, "hub"),
    hfmsCache: expand(env.HFMS_CACHE, home) ?? path.join(hfHome, "hfms"),
    hubEndpoint: (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, ""),
    hubToken: env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN || undefined,
    hubTokenPath: expand(env.HF_TOKEN_PATH, home) ?? path.join(hfHome, "token"),
    offline: TRUE.has((env.HF_HUB_OFFLINE ?? env.TRANSFORMERS_OFFLINE ?? "").toLowerCase()),
    proxy: {
      http: env.http_proxy || env.HTTP_PROXY || env.all_proxy || env.ALL_PROXY || undefined,
      https: env.https_proxy || env.HTTPS_PROXY || env.all_proxy || env.ALL_PROXY || undefined,
      no: env.no_proxy || env.NO_PROXY || undefined,
    },
    threads: threads > 0 ? threads : undefined,
    spin: spinning(env.HFMS_SPIN),
    keepAlive: duration(env.HFMS_KEEP_ALIVE),
    memoryBudget: memory(env.HFMS_MEMORY),
    sequences: whole(env.HFMS_SEQUENCES),
    cacheBytes: memory(env.HFMS_KV_CACHE),
    skillsDir: expand(env.HFMS_SKILLS, home),
    connectTimeoutMs: positive(env.HF_HUB_ETAG_TIMEOUT, 1000) ?? 5000,
    debug: TRUE.has((env.HFMS_DEBUG ?? "").toLowerCase()),
  };
}

function expand(value: string | undefined, home: string): string | undefined {
  if (!value) return undefined;
  return path.resolve(value.replace(/^~(?=$|\/)/, home));
}

function positive(value: string | undefined, scale: number): number | undefined {
  const number = Number(value);
  return number > 0 ? number * scale : undefined;
}

const MILLISECONDS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** "90s", "5m", "1h"; a bare number is seconds, a negative one "for ever". */
function duration(value: string | undefined): number | undefined {
  const [, number, unit] = /^\s*(-?\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*$/.exec(value ?? "") ?? [];
  return number === undefined ? undefined : Number(number) * MILLISECONDS[unit ?? "s"];
}

const BYTES: Record<string, number> = { k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, "": 1 };

/** "12GiB", "12G", "80%", "0.8", or bytes. */
function memory(value: string | undefined): number | undefined {
  const [, number, unit] = /^\s*(\d+(?:\.\d+)?)\s*(%|[kmgt]?)(?:i?b)?\s*$/i.exec(value ?? "") ?? [];
  if (number === undefined || !(Number(number) > 0)) return undefined;
  return unit === "%" ? Math.min(1, Number(number) / 100) : Number(number) * BYTES[unit.toLowerCase()];
}

/** "1" and "0" are yes and no; "50us" is a time. */
function spinning(value: string | undefined): boolean | number | undefined {
  if (!value) return undefined;
  const [, microseconds] = /^\s*(\d+)\s*us\s*$/i.exec(value) ?? [];
  return microseconds === undefined ? TRUE.has(value.toLowerCase()) : Number(microseconds);
}

function whole(value: string | undefined): number | undefined {
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}

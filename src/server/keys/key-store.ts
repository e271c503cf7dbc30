import { randomBytes, timingSafeEqual } from "node:crypto";
import { stat } from "node:fs/promises";
import type { ServerConfig } from "../config/schema.js";
import type { Scope } from "../route.js";
import { keyDigest, keyHint } from "./api-key.js";
import { KeyFile, type KeyRecord } from "./key-file.js";

/** A key as it is kept: never in clear. */
export interface StoredKey {
  id: string;
  name: string;
  /** Of the key in clear, so that people recognise it: `hfms_ab12…`. */
  hint: string;
  scopes: Exclude<Scope, "public">[];
  /** ISO 8601. */
  created: string;
  lastUsed?: string;
}

/** The API keys of this machine. */
export interface KeyStore {
  /** Where there are none, every route is open. */
  readonly empty: boolean;
  /** The key that a caller shows, compared in constant time; undefined for an unknown one. */
  check(key: string): StoredKey | undefined;
}

/** How often the key file is looked at. */
const LOOK_MS = 500;
/** How often the last use of keys is written down. */
const NOTE_MS = 60_000;

export interface KeyStoreOptions {
  /** Told when the file can't be read any more, once for each reason. */
  onProblem?: (error: unknown) => void;
}

/**
 * The keys of the configuration and of the key file, which is read again when it changes. Throws invalid_config or
 * file_error when the file is broken: a server must not start without the keys that somebody made.
 */
export async function openKeyStore(
  { apiKeys, keyFile }: Pick<ServerConfig, "apiKeys" | "keyFile">,
  options: KeyStoreOptions = {},
): Promise<WatchedKeys> {
  const keys = new WatchedKeys(apiKeys, keyFile, options);
  await keys.refresh();
  keys.watch();
  return keys;
}

interface Candidate {
  digest: Buffer;
  key: StoredKey;
}

export class WatchedKeys implements KeyStore, AsyncDisposable {
  readonly #file?: KeyFile;
  readonly #onProblem: (error: unknown) => void;
  readonly #givenSalt = randomBytes(16);
  readonly #given: Candidate[];
  #salt = randomBytes(16);
  #kept: Candidate[] = [];
  /** Keys that were ever there. Taking the last one away must not open the server. */
  #closed = false;
  #stamp?: string;
  #problem?: string;
  #timer?: NodeJS.Timeout;
  readonly #used = new Map<string, string>();
  #noted = Date.now();
  #looking: Promise<void> = Promise.resolve();

  constructor(given: string[], file: string, { onProblem = () => {} }: KeyStoreOptions) {
    this.#file = file === "" ? undefined : new KeyFile(file);
    this.#onProblem = onProblem;
    const created = new Date().toISOString();
    this.#given = given.map((key, i) => ({
      digest: keyDigest(key, this.#givenSalt),
      key: {
        id: `given${i + 1}`,
        name: `given ${i + 1}`,
        hint: keyHint(key),
        scopes: ["infer", "admin"],
        created,
      },
    }));
    this.#closed = given.length > 0;
  }

  get empty(): boolean {
    return !this.#closed;
  }

  check(key: string): StoredKey | undefined {
    const [given, kept] = [keyDigest(key, this.#givenSalt), keyDigest(key, this.#salt)];
    let found: StoredKey | undefined;
    // All are compared, whichever fits: the time must not tell which one came close.
    for (const one of this.#given) if (timingSafeEqual(one.digest, given)) found = one.key;
    for (const one of this.#kept) if (timingSafeEqual(one.digest, kept)) found = one.key;
    if (found) this.#used.set(found.id, new Date().toISOString());
    return found;
  }

  /** Reads the file where it has changed. */
  async refresh(): Promise<void> {
    if (!this.#file) return;
    const stamp = await stampOf(this.#file.path);
    if (stamp === this.#stamp) return;
    const { salt, keys } = await this.#file.read();
    this.#stamp = stamp;
    this.#problem = undefined;
    this.#salt = Buffer.from(salt, "hex");
    this.#kept = keys.map(({ digest, ...key }: KeyRecord) => ({ digest: Buffer.from(digest, "hex"), key }));
    this.#closed ||= keys.length > 0;
  }

  /** From now on the file is read whenever it changes. */
  watch(): void {
    if (!this.#file || this.#timer) return;
    this.#timer = setInterval(() => {
      this.#looking = this.#looking.then(() => this.#look());
    }, LOOK_MS);
    this.#timer.unref();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#timer);
    await this.#looking;
    await this.#noteUse();
  }

  async #look(): Promise<void> {
    try {
      await this.refresh();
    } catch (error) {
      // The keys that were valid stay so; nobody else gets in.
      const problem = (error as Error).message;
      if (problem !== this.#problem) this.#onProblem(error);
      this.#problem = problem;
      return;
    }
    if (Date.now() - this.#noted >= NOTE_MS) await this.#noteUse();
  }

  async #noteUse(): Promise<void> {
    this.#noted = Date.now();
    const used = new Map(this.#used);
    this.#used.clear();
    if (!this.#kept.some(({ key }) => used.has(key.id))) return;
    const edit = (key: KeyRecord) => (used.has(key.id) ? { ...key, lastUsed: used.get(key.id)! } : key);
    // A file that may only be read, as containers mount secrets, stays as it is.
    await this.#file?.change((file) => ({ ...file, keys: file.keys.map(edit) })).catch(() => {});
  }
}

/** Changes whenever the file does: it is replaced, never written in place. */
async function stampOf(file: string): Promise<string> {
  try {
    const { ino, mtimeNs, size } = await stat(file, { bigint: true });
    return `${ino} ${mtimeNs} ${size}`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "none";
    // Reading it says more about what is wrong.
    return `unreadable ${Date.now()}`;
  }
}

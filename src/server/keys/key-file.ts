import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { z } from "zod";
import { HfmsError } from "../../core/index.js";
import { type ConfigSources, readServerConfig } from "../config/server-config.js";
import { keyDigest, keyHint, randomKey } from "./api-key.js";
import type { StoredKey } from "./key-store.js";

const keyScopes = ["infer", "admin"] as const;
const MAX_KEYS = 1000;
const MAX_BYTES = 1_000_000;
const MAX_NAME = 100;
/** A process that died while it changed the file holds its lock for so long. */
const STALE_MS = 5000;

/** The key file that a server started in `cwd` takes. */
export async function configuredKeyFile({
  keyFile,
  ...sources
}: Pick<ConfigSources, "file" | "cwd" | "env"> & { keyFile?: string }): Promise<KeyFile> {
  const { config } = await readServerConfig({ ...sources, flags: { keyFile } });
  return new KeyFile(config.keyFile);
}

const record = z.strictObject({
  id: z.string().regex(/^[\da-z]{1,40}$/),
  name: z.string().min(1).max(MAX_NAME),
  hint: z.string().max(MAX_NAME),
  scopes: z.array(z.enum(keyScopes)).min(1),
  created: z.iso.datetime(),
  lastUsed: z.iso.datetime().optional(),
  /** HMAC-SHA-256 of the key under the file's salt. */
  digest: z.string().regex(/^[\da-f]{64}$/),
});
const content = z.strictObject({
  version: z.literal(1),
  salt: z.string().regex(/^[\da-f]{32,}$/),
  keys: z.array(record).max(MAX_KEYS),
});

export type KeyFileContent = z.infer<typeof content>;
export type KeyRecord = KeyFileContent["keys"][number];

export interface NewKey {
  name?: string;
  scopes: StoredKey["scopes"];
}

/**
 * The file of API keys. It holds no key in clear; only its owner may read it. It is written aside and renamed, under a
 * lock, so that readers and other writers never see half of it.
 */
export class KeyFile {
  readonly path: string;

  constructor(file: string) {
    this.path = file;
  }

  /** No keys where there is no file. Throws invalid_config for a broken one and file_error for an unreadable one. */
  async read(): Promise<KeyFileContent> {
    let text: string;
    try {
      await this.#refuseStrangers();
      text = await readFile(this.path, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") {
        return { version: 1, salt: randomBytes(16).toString("hex"), keys: [] };
      }
      throw error instanceof HfmsError ? error : unusable(this.path, "read", error);
    }
    const { success, data, error } = content.safeParse(text.length > MAX_BYTES ? undefined : json(text));
    if (success) return data;
    throw new HfmsError("invalid_config", `the key file ${this.path} is broken`, {
      hint: "bring back a copy of it, or remove it and make new keys with `hfms keys create`",
      param: "keyFile",
      cause: error,
    });
  }

  /**
   * Makes a key; without a name it is called by its id. It is returned in clear here and never again. Throws
   * invalid_request for a name that is taken.
   */
  async create({ name, scopes }: NewKey): Promise<{ key: string; stored: StoredKey }> {
    const id = randomBytes(4).toString("hex");
    const key = randomKey();
    const stored: StoredKey = {
      id,
      name: name === undefined ? id : checkedName(name),
      hint: keyHint(key),
      scopes: keyScopes.filter((scope) => scopes.includes(scope)),
      created: new Date().toISOString(),
    };
    await this.change(({ salt, keys, ...file }) => {
      if (keys.some((other) => other.name === stored.name || other.id === stored.name)) {
        throw new HfmsError("invalid_request", `there is a key ${JSON.stringify(stored.name)} already`, {
          hint: "choose another name, or revoke that key first",
          param: "name",
        });
      }
      if (keys.length >= MAX_KEYS) {
        throw new HfmsError("invalid_request", `there are ${MAX_KEYS} keys already`, { hint: "revoke some" });
      }
      const digest = keyDigest(key, Buffer.from(salt, "hex")).toString("hex");
      return { ...file, salt, keys: [...keys, { ...stored, digest }] };
    });
    return { key, stored };
  }

  /** The keys with those ids or names, each once. Throws invalid_request where there is none. */
  async find(idsOrNames: string[]): Promise<StoredKey[]> {
    const { keys } = await this.read();
    const found = idsOrNames.map((wanted) => {
      const key = keys.find(({ id, name }) => id === wanted || name === wanted);
      if (key) return key;
      throw new HfmsError("invalid_request", `there is no key ${JSON.stringify(wanted.slice(0, MAX_NAME))}`, {
        hint: keys.length === 0 ? "there are no keys at all" : "`hfms keys list` shows them",
        param: "keys",
      });
    });
    return [...new Set(found)].map(withoutDigest);
  }

  /** Takes keys away; servers that run stop taking them within a second. */
  async revoke(ids: string[]): Promise<void> {
    await this.change((file) => ({ ...file, keys: file.keys.filter(({ id }) => !ids.includes(id)) }));
  }

  async list(): Promise<StoredKey[]> {
    return (await this.read()).keys.map(withoutDigest);
  }

  /** Rewrites the file while nobody else does. */
  async change(edit: (file: KeyFileContent) => KeyFileContent): Promise<void> {
    const { lock } = await import("proper-lockfile");
    try {
      await mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 });
      const release = await lock(this.path, {
        realpath: false,
        stale: STALE_MS,
        retries: { retries: 50, minTimeout: 20, maxTimeout: 200 },
        // Taken from us after a long sleep of the machine: the renaming still leaves a whole file.
        onCompromised: () => {},
      });
      try {
        await this.#write(edit(await this.read()));
      } finally {
        await release().catch(() => {});
      }
    } catch (error) {
      throw error instanceof HfmsError ? error : unusable(this.path, "written", error);
    }
  }

  async #write(file: KeyFileContent): Promise<void> {
    const aside = `${this.path}.${process.pid}.${randomBytes(4).toString("hex")}.part`;
    try {
      const handle = await open(aside, "wx", 0o600);
      try {
        await handle.writeFile(`${JSON.stringify(file, null, 2)}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(aside, this.path);
    } catch (error) {
      await rm(aside, { force: true });
      throw error;
    }
  }

  /** Whoever may write the file may let themselves in. Windows has no such modes. */
  async #refuseStrangers(): Promise<void> {
    const { mode } = await stat(this.path);
    if (process.platform === "win32" || (mode & 0o022) === 0) return;
    throw new HfmsError("invalid_config", `other users may write to the key file ${this.path}`, {
      hint: "forbid it with `chmod 600`, and see that the keys in it are yours",
      param: "keyFile",
    });
  }
}

/** A name stands in tables and logs. */
function checkedName(name: string): string {
  if (name.length <= MAX_NAME && name.trim() === name && /^[^\p{C}]+$/u.test(name)) return name;
  throw new HfmsError("invalid_request", `a key can't be called ${JSON.stringify(name.slice(0, MAX_NAME))}`, {
    hint: `a name is 1 to ${MAX_NAME} characters without blanks around it`,
    param: "name",
  });
}

function withoutDigest({ digest: _, ...key }: KeyRecord): StoredKey {
  return key;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unusable(file: string, done: "read" | "written", cause: unknown): HfmsError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const locked = code === "ELOCKED";
  return new HfmsError(
    "file_error",
    `the key file ${file} can't be ${done}: ${locked ? "another program changes it" : message}`,
    {
      hint: locked ? "try again" : "check its owner, or name another with --key-file",
      param: "keyFile",
      cause,
    },
  );
}

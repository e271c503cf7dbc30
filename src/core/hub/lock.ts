import { mkdir, rm } from "node:fs/promises";
import path from "node:path";
import { fromFileSystem, throwIfAborted } from "../errors.js";
import { pause } from "./http.js";

export interface LockOptions {
  signal?: AbortSignal;
  /** Called now and then while another process holds the lock; `true` means that the work is done and nothing is left. */
  doneByOther?: () => Promise<boolean>;
}

/** A holder that died stops touching its lock; after this long another one may take it. */
const STALE_MS = 5000;
const POLL_MS = 100;

/** Runs the work while no other process, and no other call of this one, runs it under the same path. */
export async function withLock(
  lockPath: string,
  options: LockOptions,
  work: () => Promise<void>,
): Promise<void> {
  await using lock = await takeLock(lockPath, options);
  if (lock) await work();
}

/**
 * Waits until nobody else holds the path, and holds it until it is disposed; undefined when the work was done by another
 * one. The lock is a folder whose time stamp its holder keeps fresh, so a crash frees it.
 */
export async function takeLock(lockPath: string, options: LockOptions): Promise<AsyncDisposable | undefined> {
  const { lock } = await import("proper-lockfile");
  try {
    await mkdir(path.dirname(lockPath), { recursive: true });
  } catch (error) {
    throw fromFileSystem(error, lockPath);
  }
  for (;;) {
    throwIfAborted(options.signal);
    const release = await lock(lockPath, {
      lockfilePath: lockPath,
      realpath: false,
      stale: STALE_MS,
      update: STALE_MS / 5,
      // Taken from us after a long sleep of the machine: the other one then writes the same bytes and verifies them.
      onCompromised: () => {},
    }).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ELOCKED") throw fromFileSystem(error, lockPath);
    });
    if (release) {
      const free = () => release().catch(() => rm(lockPath, { recursive: true, force: true }));
      return { [Symbol.asyncDispose]: free };
    }
    if (await options.doneByOther?.()) return undefined;
    await pause(POLL_MS, options.signal);
  }
}

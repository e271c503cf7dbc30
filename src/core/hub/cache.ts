import { randomUUID } from "node:crypto";
import {
  copyFile,
  link,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { fromFileSystem } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { isCommit, repositoryFolder } from "./model-id.js";

/**
 * The standard cache of huggingface_hub, so that Python programs find what hfms pulled and the other way round:
 *
 *   models--org--name/
 *     blobs/<etag>                     content, named by sha256 (LFS) or git-blob sha1
 *     blobs/<etag>.incomplete          a transfer that may be continued
 *     refs/<branch or tag>             the commit, 40 hex digits, no newline
 *     snapshots/<commit>/<path>        relative symbolic links into blobs/
 *     trees/<commit>.json              what the Hub has at that commit (listing.ts)
 *   .locks/models--org--name/
 */
export interface RepositoryCache {
  root: string;
  blob(etag: string): string;
  lock(etag: string): string;
  snapshot(commit: string): string;
  /** The commit that a branch, tag or commit stands for here. */
  commitOf(revision: string): Promise<string | undefined>;
  writeRef(ref: string, commit: string): Promise<void>;
  link(commit: string, file: string, etag: string): Promise<void>;
}

export function repositoryCache(config: Config, id: string): RepositoryCache {
  const folder = repositoryFolder(id);
  const root = path.join(config.hubCache, folder);
  const snapshot = (commit: string) => path.join(root, "snapshots", commit);
  const blob = (etag: string) => path.join(root, "blobs", etag);
  return {
    root,
    blob,
    snapshot,
    // Not `<etag>.lock`: that is a file of Python's filelock, and this lock is a folder.
    lock: (etag) => path.join(config.hubCache, ".locks", folder, `${etag}.hfms-lock`),
    async commitOf(revision) {
      if (isCommit(revision)) return revision;
      const commit = await readFile(path.join(root, "refs", revision), "utf8").catch(() => "");
      return isCommit(commit.trim()) ? commit.trim() : undefined;
    },
    writeRef: (ref, commit) => writeAtomically(path.join(root, "refs", ref), commit),
    link: (commit, file, etag) => linkBlob(blob(etag), path.join(snapshot(commit), ...file.split("/"))),
  };
}

/** Unique, since two calls may write the same file at once. */
function asideOf(file: string): string {
  return `${file}.${randomUUID().slice(0, 8)}.tmp`;
}

/** Write aside, then rename: readers see the old content or the new, never half of it. */
export async function writeAtomically(file: string, content: string): Promise<void> {
  const aside = asideOf(file);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(aside, content);
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw fromFileSystem(error, file);
  }
}

/** A relative link, so that the cache can be moved; a hard link or a copy where links need rights (Windows). */
async function linkBlob(blob: string, file: string): Promise<void> {
  const aside = asideOf(file);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await symlink(path.relative(path.dirname(file), blob), aside)
      .catch(() => link(blob, aside))
      .catch(() => copyFile(blob, aside));
    await rename(aside, file);
  } catch (error) {
    await rm(aside, { force: true });
    throw fromFileSystem(error, file);
  }
}

/** True when the path leads to a file of this size; a link to nowhere is not one. */
export async function hasFile(file: string, size: number): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  return found?.isFile() === true && found.size === size;
}

const MAX_DEPTH = 8;

/** Files below a folder by relative path with forward slashes, links followed, sorted. Hidden folders are left out. */
export async function filesBelow(directory: string, prefix = "", depth = 0): Promise<RepoFile[]> {
  const found: RepoFile[] = [];
  for (const entry of await readdir(path.join(directory, prefix), { withFileTypes: true })) {
    const name = prefix ? `${prefix}/${entry.name}` : entry.name;
    const stats = await stat(path.join(directory, name)).catch(() => undefined);
    if (stats?.isFile()) found.push({ path: name, size: stats.size });
    else if (entry.isDirectory() && !entry.name.startsWith(".") && depth < MAX_DEPTH) {
      found.push(...(await filesBelow(directory, name, depth + 1)));
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Bytes that a folder takes on the disk, links not followed, and when the newest of its files was written. */
export async function diskUse(directory: string): Promise<{ bytes: number; lastUsed: number }> {
  let bytes = 0;
  let lastUsed = 0;
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    const file = path.join(directory, entry.name);
    const part = entry.isDirectory() ? await diskUse(file) : await fileUse(file);
    bytes += part.bytes;
    lastUsed = Math.max(lastUsed, part.lastUsed);
  }
  return { bytes, lastUsed };
}

async function fileUse(file: string): Promise<{ bytes: number; lastUsed: number }> {
  const stats = await lstat(file).catch(() => undefined);
  if (!stats?.isFile()) return { bytes: 0, lastUsed: 0 };
  // No access times: some disks never write them, and where they are written, a listing that reads refs/ is a use.
  return { bytes: stats.size, lastUsed: stats.mtimeMs };
}

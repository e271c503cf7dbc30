import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { fromFileSystem, HfmsError } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { repositoryCache, writeAtomically } from "./cache.js";
import type { HubClient } from "./http.js";
import { notAHub } from "./http-errors.js";
import { isSafeFilePath, printable } from "./model-id.js";

/** A file as the Hub lists it. */
export interface ListedFile extends RepoFile {
  /** sha256 of an LFS file (64 hex digits), git-blob sha1 of any other (40). Its blob has this name. */
  etag: string;
  /** git-blob sha1: of the content, or of the pointer of an LFS file. */
  oid: string;
}

/** No model comes near it; a listing without end must not fill the memory. */
const MAX_FILES = 100_000;

/** All files of a commit. The answer comes from a server, so names, sizes and hashes are checked. */
export async function listRemote(client: HubClient, commit: string): Promise<ListedFile[]> {
  try {
    return await readTree(client, commit);
  } catch (error) {
    throw error instanceof HfmsError ? error : notAHub(client.endpoint, error);
  }
}

async function readTree(client: HubClient, commit: string): Promise<ListedFile[]> {
  const { listFiles } = await import("@huggingface/hub");
  const { id } = client.subject;
  const files: ListedFile[] = [];
  const entries = listFiles({
    repo: { type: "model", name: id },
    revision: commit,
    recursive: true,
    hubUrl: client.endpoint,
    fetch: client.fetch,
  });
  for await (const entry of entries) {
    if (entry.type !== "file") continue;
    const oid = entry.oid ?? "";
    const file = { path: entry.path, size: entry.lfs?.size ?? entry.size, etag: entry.lfs?.oid ?? oid, oid };
    if (!isListedFile(file) || files.length === MAX_FILES) {
      throw new HfmsError(
        "hub_error",
        `${client.endpoint} lists a file of ${id} that can't be right: "${printable(String(file.path))}"`,
      );
    }
    files.push(file);
  }
  return files.sort(byPath);
}

function isListedFile(file: ListedFile): boolean {
  return (
    typeof file.path === "string" &&
    isSafeFilePath(file.path) &&
    Number.isSafeInteger(file.size) &&
    file.size >= 0 &&
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(file.etag) &&
    /^[0-9a-f]{40}$/.test(file.oid)
  );
}

function byPath(a: ListedFile, b: ListedFile): number {
  return a.path < b.path ? -1 : 1;
}

/** trees/<commit>.json as huggingface_hub ≥ 2 writes and reads it (_tree_cache.py). */
interface TreeFile {
  format_version: 1;
  files: Record<string, { size: number; blob_id: string; lfs_sha256?: string; lfs_size?: number }>;
}

/**
 * A commit never changes, so its listing is kept: it tells a half pulled snapshot from a whole one without a network,
 * which blobs, refs and snapshots alone can't.
 */
export async function readListing(
  config: Config,
  id: string,
  commit: string,
): Promise<ListedFile[] | undefined> {
  try {
    const tree = JSON.parse(await readFile(treeFile(config, id, commit), "utf8")) as TreeFile;
    if (tree.format_version !== 1) return undefined;
    const files = Object.entries(tree.files).map(([name, about]) => ({
      path: name,
      size: about.lfs_size ?? about.size,
      etag: about.lfs_sha256 ?? about.blob_id,
      oid: about.blob_id,
    }));
    return files.every(isListedFile) ? files.sort(byPath) : undefined;
  } catch {
    return undefined;
  }
}

export async function writeListing(
  config: Config,
  id: string,
  commit: string,
  files: ListedFile[],
): Promise<void> {
  const entries = files.map(({ path: name, size, etag, oid }) => {
    const lfs = etag === oid ? {} : { lfs_sha256: etag, lfs_size: size };
    return [name, { size, blob_id: oid, ...lfs }] as const;
  });
  const tree: TreeFile = { format_version: 1, files: Object.fromEntries(entries) };
  await writeAtomically(treeFile(config, id, commit), JSON.stringify(tree, undefined, 1));
  // Python's scan of the cache calls a repository without this folder corrupt.
  const snapshots = path.dirname(repositoryCache(config, id).snapshot(commit));
  await mkdir(snapshots, { recursive: true }).catch((error) => {
    throw fromFileSystem(error, snapshots);
  });
}

function treeFile(config: Config, id: string, commit: string): string {
  return path.join(repositoryCache(config, id).root, "trees", `${commit}.json`);
}

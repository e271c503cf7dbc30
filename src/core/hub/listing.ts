import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { writeAtomically } from "./cache.js";
import type { HubClient } from "./http.js";
import { isSafeFilePath, printable, repositoryFolder } from "./model-id.js";

/** A file as the Hub lists it. */
export interface ListedFile extends RepoFile {
  /** sha256 of an LFS file (64 hex digits), git-blob sha1 of any other (40). */
  etag: string;
}

/** No model comes near it; a listing without end must not fill the memory. */
const MAX_FILES = 100_000;

/** All files of a commit. The answer comes from a server, so names, sizes and hashes are checked. */
export async function listRemote(client: HubClient, commit: string): Promise<ListedFile[]> {
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
    const file = { path: entry.path, size: entry.size, etag: entry.lfs?.oid ?? entry.oid ?? "" };
    if (!isListedFile(file) || files.length === MAX_FILES) {
      throw new HfmsError(
        "hub_error",
        `${client.endpoint} lists a file of ${id} that can't be right: "${printable(String(file.path))}"`,
      );
    }
    files.push(file);
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

function isListedFile(file: ListedFile): boolean {
  return (
    typeof file.path === "string" &&
    isSafeFilePath(file.path) &&
    Number.isSafeInteger(file.size) &&
    file.size >= 0 &&
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(file.etag)
  );
}

/**
 * A commit never changes, so its listing is kept: it tells a half pulled snapshot from a whole one without a network,
 * which the cache layout alone can't.
 */
export async function readListing(
  config: Config,
  id: string,
  commit: string,
): Promise<ListedFile[] | undefined> {
  try {
    const files = JSON.parse(await readFile(listingFile(config, id, commit), "utf8")) as ListedFile[];
    return Array.isArray(files) && files.every(isListedFile) ? files : undefined;
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
  await writeAtomically(listingFile(config, id, commit), JSON.stringify(files));
}

export async function removeListings(config: Config, id: string): Promise<void> {
  await rm(path.dirname(listingFile(config, id, "x")), { recursive: true, force: true });
}

function listingFile(config: Config, id: string, commit: string): string {
  return path.join(config.hfmsCache, "listings", repositoryFolder(id), `${commit}.json`);
}

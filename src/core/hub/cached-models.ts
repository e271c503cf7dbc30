import { readdir, readFile, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import type { RemovedModel, RepoFile, SourceName } from "../requests.js";
import { diskUse, filesBelow } from "./cache.js";
import { isCommit, parseModelId, repositoryFolder } from "./model-id.js";
import { readRecords } from "./package.js";

/** A model on this machine, whole or half pulled, by whatever program. */
export interface CachedRepository {
  id: string;
  source: SourceName;
  directory: string;
  /** Bytes on the disk; what snapshots share counts once. */
  size: number;
  /** ISO 8601; undefined when there is no file yet. */
  lastUsed?: string;
  snapshots: CachedSnapshot[];
}

export interface CachedSnapshot {
  /** Commit, or `<name>-<version>` of a package. */
  revision: string;
  refs: string[];
  directory: string;
  files: RepoFile[];
}

/**
 * Everything in the Hub cache and the packages. Own code instead of @huggingface/hub's scanCacheDir, which leaves out
 * files in sub-folders (1_Pooling/config.json) and gives up on a repository that has no refs/ or a half written one.
 */
export async function listCached(config: Config): Promise<CachedRepository[]> {
  const folders = await readdir(config.hubCache, { withFileTypes: true }).catch(() => []);
  const found: CachedRepository[] = [];
  for (const folder of folders) {
    if (!folder.isDirectory() || !folder.name.startsWith("models--")) continue;
    const directory = path.join(config.hubCache, folder.name);
    const repository = await readRepository(directory);
    // A listing without any file is left where somebody only looked at what the Hub has.
    const used = repository.snapshots.length > 0 || (await diskUse(path.join(directory, "blobs"))).bytes > 0;
    if (used) found.push(repository);
  }
  for (const record of await readRecords(config)) {
    const revision = path.basename(record.directory);
    const snapshot = { revision, refs: [], directory: record.directory, files: record.files };
    found.push(await describe(record.id, "package", record.directory, [snapshot]));
  }
  return found.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Takes all copies of a model from the disk: out of the Hub cache and the packages. */
export async function removeCached(config: Config, model: string): Promise<RemovedModel> {
  const { id } = parseModelId(model);
  const copies = (await listCached(config)).filter((copy) => copy.id === id);
  if (copies.length === 0) {
    throw new HfmsError("model_not_found", `"${id}" is not on this machine`, {
      hint: "see `hfms list`",
      param: "model",
    });
  }
  for (const copy of copies) {
    // The record goes first: what is left after a crash in between does not look complete.
    if (copy.source === "package") await rm(`${copy.directory}.json`, { force: true });
    await rm(copy.directory, { recursive: true, force: true });
  }
  await rm(path.join(config.hubCache, ".locks", repositoryFolder(id)), { recursive: true, force: true });
  return {
    model: id,
    bytes: copies.reduce((sum, copy) => sum + copy.size, 0),
    directories: copies.map((copy) => copy.directory),
  };
}

async function readRepository(directory: string): Promise<CachedRepository> {
  const id = path.basename(directory).slice("models--".length).replaceAll("--", "/");
  const refs = await readRefs(path.join(directory, "refs"));
  const snapshots: CachedSnapshot[] = [];
  for (const commit of await readdir(path.join(directory, "snapshots")).catch(() => [])) {
    const snapshot = path.join(directory, "snapshots", commit);
    if (!isCommit(commit) || !(await stat(snapshot)).isDirectory()) continue;
    const names = refs.filter((ref) => ref.commit === commit).map((ref) => ref.name);
    snapshots.push({ revision: commit, refs: names, directory: snapshot, files: await filesBelow(snapshot) });
  }
  return describe(id, "hub", directory, snapshots);
}

async function readRefs(directory: string): Promise<{ name: string; commit: string }[]> {
  const files = await filesBelow(directory).catch(() => []);
  const contents = files.map(async ({ path: name }) => ({
    name,
    commit: (await readFile(path.join(directory, name), "utf8")).trim(),
  }));
  return Promise.all(contents);
}

async function describe(
  id: string,
  source: SourceName,
  directory: string,
  snapshots: CachedSnapshot[],
): Promise<CachedRepository> {
  const { bytes, lastUsed } = await diskUse(directory);
  const iso = lastUsed > 0 ? new Date(lastUsed).toISOString() : undefined;
  return { id, source, directory, size: bytes, lastUsed: iso, snapshots };
}

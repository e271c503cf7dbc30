import { mkdir, stat, statfs } from "node:fs/promises";
import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import { filesBelow, hasFile, repositoryCache } from "./cache.js";
import { download } from "./download.js";
import { type HubClient, openHubClient } from "./http.js";
import { notAHub, offlineWithout } from "./http-errors.js";
import { type ListedFile, listRemote, readListing, writeListing } from "./listing.js";
import { withLock } from "./lock.js";
import { checkRevision, isCommit, parseModelId, printable } from "./model-id.js";
import { type Report, type TransferJob, transfer } from "./transfer.js";
import type { ModelRef, Repository, Source } from "./types.js";

/** Times that a test makes short. */
export interface HubTuning {
  retryDelayMs?: number;
  idleTimeoutMs?: number;
}

/** The Hugging Face Hub, or what speaks its protocol under HF_ENDPOINT, into the standard cache. */
export function hub(config: Config, tuning: HubTuning = {}): Source {
  return {
    name: "hub",
    async resolve(ref, signal) {
      const subject = subjectOf(ref);
      if (config.offline) return resolveOffline(config, ref);
      await using client = await openHubClient(config, subject, { signal, ...tuning });
      const { commit, gated } = await readCommit(config, client);
      let listing = await readListing(config, subject.id, commit);
      if (!listing) {
        listing = await listRemote(client, commit);
        await writeListing(config, subject.id, commit, listing);
      }
      const repository = await toRepository(config, ref, commit, listing);
      if (gated && !repository.files.some((file) => file.cached)) await checkAccess(client, commit, listing);
      return repository;
    },
    async *fetch(repository, files, signal) {
      const { id, revision: commit } = repository;
      const cache = repositoryCache(config, id);
      const cached = new Set(repository.files.filter((file) => file.cached).map((file) => file.path));
      if (files.some((file) => !cached.has(file))) {
        if (config.offline)
          throw offlineWithout(
            id,
            files.filter((file) => !cached.has(file)),
          );
        await using client = await openHubClient(config, { id, revision: commit }, { signal, ...tuning });
        const listing = (await readListing(config, id, commit)) ?? (await listRemote(client, commit));
        const wanted = files.map((file) => find(listing, file, id));
        const missing: ListedFile[] = [];
        for (const file of wanted) {
          if (!(await isCached(config, id, commit, file))) missing.push(file);
        }
        await checkSpace(config, id, missing);
        yield* transfer({
          what: id,
          total: bytesOf(wanted),
          done: bytesOf(wanted) - bytesOf(missing),
          jobs: missing.map((file) => fetchFile({ config, client, commit, file, tuning })),
          signal,
        });
      }
      // Last, so that the branch keeps pointing at the older, whole snapshot when this one fails. An index alone is a
      // step on the way to its shards.
      const ref = repository.ref;
      if (ref && ref !== commit && !files.every((file) => file.endsWith(".index.json"))) {
        if ((await cache.commitOf(ref)) !== commit) await cache.writeRef(ref, commit);
      }
    },
  };
}

/** The snapshot that the cache has, whole or not, without a request; undefined when there is none. */
export async function resolveCached(config: Config, ref: ModelRef): Promise<Repository | undefined> {
  const { id, revision } = subjectOf(ref);
  const cache = repositoryCache(config, id);
  const commit = await cache.commitOf(revision);
  if (!commit) return undefined;
  const listing = await readListing(config, id, commit);
  if (listing) return toRepository(config, ref, commit, listing);
  const files = await filesBelow(cache.snapshot(commit)).catch(() => []);
  if (files.length === 0) return undefined;
  return describe(
    config,
    ref,
    commit,
    files.map((file) => ({ ...file, cached: true })),
  );
}

async function resolveOffline(config: Config, ref: ModelRef): Promise<Repository> {
  const repository = await resolveCached(config, ref);
  if (repository) return repository;
  const { id, revision } = subjectOf(ref);
  throw new HfmsError(
    "offline",
    `${id}@${revision} is not in the cache and HF_HUB_OFFLINE allows no request`,
    {
      hint: "unset HF_HUB_OFFLINE, or `hfms pull` it while online",
    },
  );
}

function subjectOf(ref: ModelRef): { id: string; revision: string; quant?: string } {
  const parsed = parseModelId(ref.id);
  const revision = checkRevision(ref.revision ?? parsed.revision ?? "main");
  return { id: parsed.id, revision, quant: ref.quant ?? parsed.quant };
}

/** The commit that a branch or tag stands for now. A commit whose listing is here needs no request. */
async function readCommit(config: Config, client: HubClient): Promise<{ commit: string; gated: boolean }> {
  const { id, revision } = client.subject;
  if (isCommit(revision) && (await readListing(config, id, revision)))
    return { commit: revision, gated: false };
  const { modelInfo } = await import("@huggingface/hub");
  const info = await modelInfo({
    name: id,
    revision,
    hubUrl: client.endpoint,
    fetch: client.fetch,
    additionalFields: ["sha"],
  }).catch((error) => {
    throw error instanceof HfmsError ? error : notAHub(client.endpoint, error);
  });
  if (typeof info.sha !== "string" || !isCommit(info.sha)) {
    throw new HfmsError(
      "hub_error",
      `${client.endpoint} names no commit for ${id}@${revision}: "${printable(String(info.sha))}"`,
    );
  }
  return { commit: info.sha, gated: Boolean(info.gated) };
}

/** A gated repository shows its list to everybody; only its files tell whether this account may have them. */
async function checkAccess(client: HubClient, commit: string, listing: ListedFile[]): Promise<void> {
  const file = listing.find(({ path }) => path === "config.json") ?? listing[0];
  if (!file) return;
  const url = fileUrl(client, commit, file.path);
  const response = await client.open(url, { method: "HEAD" }).catch((error) => {
    throw client.failNetwork(error, url);
  });
  response.body.destroy();
  if ([401, 403, 404].includes(response.status)) throw client.fail(response, file.path);
}

async function toRepository(
  config: Config,
  ref: ModelRef,
  commit: string,
  listing: ListedFile[],
): Promise<Repository> {
  const { id } = subjectOf(ref);
  const files: Repository["files"] = [];
  for (const file of listing) {
    const cached = await isCached(config, id, commit, file);
    files.push({ path: file.path, size: file.size, cached });
  }
  return describe(config, ref, commit, files);
}

function describe(config: Config, ref: ModelRef, commit: string, files: Repository["files"]): Repository {
  const { id, revision, quant } = subjectOf(ref);
  const directory = repositoryCache(config, id).snapshot(commit);
  return { id, source: "hub", revision: commit, directory, ref: revision, quant, files };
}

function isCached(config: Config, id: string, commit: string, file: ListedFile): Promise<boolean> {
  return hasFile(`${repositoryCache(config, id).snapshot(commit)}/${file.path}`, file.size);
}

function find(listing: ListedFile[], file: string, id: string): ListedFile {
  const found = listing.find(({ path }) => path === file);
  if (!found) throw new HfmsError("model_not_found", `${id} has no file ${file}`);
  return found;
}

function bytesOf(files: ListedFile[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Says before the first byte that the disk is too small. */
async function checkSpace(config: Config, id: string, missing: ListedFile[]): Promise<void> {
  let needed = bytesOf(missing);
  for (const { etag } of missing)
    needed -= await sizeOf(`${repositoryCache(config, id).blob(etag)}.incomplete`);
  await mkdir(config.hubCache, { recursive: true }).catch(() => {});
  const disk = await statfs(config.hubCache).catch(() => undefined);
  if (!disk || needed <= disk.bavail * disk.bsize) return;
  const gigabytes = (bytes: number) => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new HfmsError(
    "disk_full",
    `${gigabytes(needed)} to download, but ${config.hubCache} has room for ${gigabytes(disk.bavail * disk.bsize)}`,
    { hint: "free some space (`hfms list`, `hfms rm`) or set HF_HOME to another disk" },
  );
}

interface FetchFile {
  config: Config;
  client: HubClient;
  commit: string;
  file: ListedFile;
  tuning: HubTuning;
}

function fetchFile({ config, client, commit, file, tuning }: FetchFile): TransferJob {
  const cache = repositoryCache(config, client.subject.id);
  const blob = cache.blob(file.etag);
  return async (report, signal) => {
    const watch = watchOther(blob, file, report);
    const options = { signal, doneByOther: watch };
    if (!(await hasFile(blob, file.size))) {
      await withLock(cache.lock(file.etag), options, async () => {
        // The one who held the lock before may have finished it.
        if (await hasFile(blob, file.size)) return;
        const url = fileUrl(client, commit, file.path);
        await download({ client, url, file, target: blob, report, signal, ...tuning });
      });
    }
    report(file.size);
    await cache.link(commit, file.path, file.etag);
  };
}

/** While another process pulls the same file, its progress is shown as ours. */
function watchOther(blob: string, file: ListedFile, report: Report): () => Promise<boolean> {
  let told = false;
  return async () => {
    if (await hasFile(blob, file.size)) return true;
    if (!told) report.notice(`another process is downloading ${file.path}; waiting for it`);
    told = true;
    report(Math.min(await sizeOf(`${blob}.incomplete`), file.size));
    return false;
  };
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => ({ size: 0 }))).size;
}

function fileUrl(client: HubClient, commit: string, file: string): string {
  const name = file.split("/").map(encodeURIComponent).join("/");
  return `${client.endpoint}/${client.subject.id}/resolve/${commit}/${name}`;
}

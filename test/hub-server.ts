import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

/**
 * A Hub of one's own: speaks what huggingface.co speaks to clients that read models. Files are served from memory; large
 * ones by a redirect to a second origin with a signed address, as LFS files are.
 *
 *   GET  /api/models/{id}[/revision/{rev}]      id, sha, gated, siblings
 *   GET  /api/models/{id}/tree/{rev}            files with size, oid and lfs
 *   HEAD /{id}/resolve/{rev}/{path}             ETag, X-Repo-Commit, X-Linked-Etag, X-Linked-Size
 *   GET  /{id}/resolve/{rev}/{path}             the content, Range and If-Range honoured
 */
export interface HubServer {
  /** For HF_ENDPOINT. */
  url: string;
  /** Origin of the file store that LFS files come from. */
  storeUrl: string;
  /** Every request of both origins, in order. */
  requests: ServedRequest[];
  /** What goes wrong; may be changed at any time. A fault with `times` wears off. */
  faults: Fault[];
  /** Makes a commit; `revision` (default main) points to it. Returns the commit. */
  publish(repository: ServedRepository): string;
  close(): Promise<void>;
}

export interface ServedRepository {
  id: string;
  /** Content by path, or a folder of this machine. */
  files: Record<string, string | Uint8Array> | string;
  revision?: string;
  /** Files that need a token with access: "auto" and "manual" as the Hub says it. */
  gated?: false | "auto" | "manual";
  private?: boolean;
}

export interface ServedRequest {
  origin: "hub" | "store";
  method: string;
  path: string;
  status: number;
  headers: http.IncomingHttpHeaders;
}

export interface Fault {
  /** Requests whose path matches. */
  path: RegExp;
  /** How often it happens; without it always. */
  times?: number;
  /** Answer this instead. */
  status?: number;
  headers?: Record<string, string>;
  /** Send so many bytes of the body, then … */
  afterBytes?: number;
  /** … close the connection, or say nothing more. */
  ending?: "drop" | "stall";
  /** Change one byte of the body. */
  corrupt?: boolean;
  /** Pretend not to know Range. */
  ignoreRange?: boolean;
  bytesPerSecond?: number;
  delayMs?: number;
}

export interface HubServerOptions {
  port?: number;
  host?: string;
  repositories?: ServedRepository[];
  /** Tokens and the repositories that each may read; `true` is all. A token that is not here is invalid. */
  tokens?: Record<string, string[] | true>;
  /** Files of at least so many bytes are LFS files, as are *.safetensors, *.gguf and *.bin. */
  lfsBytes?: number;
  /** Entries in a page of the tree. */
  pageSize?: number;
}

export async function startHubServer(options: HubServerOptions = {}): Promise<HubServer> {
  const hub: Hub = { options, repositories: new Map(), requests: [], faults: [], storeUrl: "", url: "" };
  const server = http.createServer((request, response) => void serve(hub, "hub", request, response));
  const store = http.createServer((request, response) => void serve(hub, "store", request, response));
  hub.url = await listen(server, options.port ?? 0, options.host);
  hub.storeUrl = await listen(store, 0, options.host);
  for (const repository of options.repositories ?? []) publish(hub, repository);
  return {
    url: hub.url,
    storeUrl: hub.storeUrl,
    requests: hub.requests,
    faults: hub.faults,
    publish: (repository) => publish(hub, repository),
    async close() {
      for (const one of [server, store]) {
        one.closeAllConnections();
        await new Promise((resolve) => one.close(resolve));
      }
    },
  };
}

interface Hub {
  options: HubServerOptions;
  repositories: Map<string, Stored>;
  requests: ServedRequest[];
  faults: Fault[];
  url: string;
  storeUrl: string;
}

interface Stored extends Omit<ServedRepository, "files" | "revision"> {
  refs: Map<string, string>;
  commits: Map<string, Map<string, StoredFile>>;
}

interface StoredFile {
  content: Buffer;
  /** git-blob sha1 of the content, or of the pointer file for LFS. */
  oid: string;
  /** sha256 of an LFS file. */
  sha256?: string;
}

function listen(server: http.Server, port: number, host = "127.0.0.1"): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      resolve(`http://${host}:${(server.address() as AddressInfo).port}`);
    });
  });
}

function publish(hub: Hub, { files, revision = "main", ...about }: ServedRepository): string {
  const contents = typeof files === "string" ? readFolder(files) : files;
  const tree = new Map<string, StoredFile>();
  for (const [name, text] of Object.entries(contents)) {
    tree.set(name, storedFile(name, Buffer.from(text as string), hub.options.lfsBytes ?? 100_000));
  }
  const known = hub.repositories.get(about.id);
  const repository: Stored = {
    refs: known?.refs ?? new Map(),
    commits: known?.commits ?? new Map(),
    ...about,
  };
  const commit = sha1(JSON.stringify([about.id, [...tree].map(([name, file]) => [name, file.oid])]));
  repository.commits.set(commit, tree);
  repository.refs.set(revision, commit);
  hub.repositories.set(about.id, repository);
  return commit;
}

function readFolder(directory: string): Record<string, Uint8Array> {
  const files: Record<string, Uint8Array> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const file = path.join(entry.parentPath, entry.name);
    if (entry.isFile()) files[path.relative(directory, file).replaceAll(path.sep, "/")] = readFileSync(file);
  }
  return files;
}

function storedFile(name: string, content: Buffer, lfsBytes: number): StoredFile {
  if (content.length < lfsBytes && !/\.(safetensors|gguf|bin)$/.test(name)) {
    return { content, oid: blobSha1(content) };
  }
  const sha256 = createHash("sha256").update(content).digest("hex");
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${sha256}\nsize ${content.length}\n`;
  return { content, oid: blobSha1(Buffer.from(pointer)), sha256 };
}

function blobSha1(content: Buffer): string {
  return sha1(Buffer.concat([Buffer.from(`blob ${content.length}\0`), content]));
}

function sha1(content: string | Buffer): string {
  return createHash("sha1").update(content).digest("hex");
}

/** An answer that is not content: thrown from wherever it is known. */
class Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: unknown;
  constructor(status: number, headers: Record<string, string> = {}, body?: unknown) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

function refusal(status: number, code: string | undefined, message: string): Answer {
  const headers = { ...(code ? { "x-error-code": code } : {}), "x-error-message": message };
  return new Answer(status, headers, { error: message });
}

async function serve(
  hub: Hub,
  origin: "hub" | "store",
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = new URL(request.url ?? "/", origin === "hub" ? hub.url : hub.storeUrl);
  const fault = takeFault(hub, url.pathname);
  const { method = "GET", headers } = request;
  response.once("close", () => {
    hub.requests.push({ origin, method, path: url.pathname, status: response.statusCode, headers });
  });
  response.on("error", () => {});
  if (fault?.delayMs) await delay(fault.delayMs);
  try {
    if (fault?.status) throw new Answer(fault.status, fault.headers, { error: "fault on demand" });
    if (method !== "GET" && method !== "HEAD") throw new Answer(405);
    if (origin === "store") await sendStored(hub, url, request, response, fault);
    else if (url.pathname.startsWith("/api/models/")) throw answerApi(hub, url, request);
    else await resolveFile(hub, url, request, response, fault);
  } catch (error) {
    const answer = error instanceof Answer ? error : new Answer(500, {}, { error: String(error) });
    const body = answer.body === undefined ? "" : JSON.stringify(answer.body);
    response.writeHead(answer.status, {
      "content-type": "application/json; charset=utf-8",
      ...answer.headers,
    });
    response.end(method === "HEAD" ? undefined : body);
  }
}

function takeFault(hub: Hub, pathname: string): Fault | undefined {
  const fault = hub.faults.find((one) => one.path.test(pathname) && one.times !== 0);
  if (fault?.times) fault.times--;
  return fault;
}

/** Who may see what: the Hub answers 401, not 404, to strangers who ask for what is missing or private. */
function findRepository(
  hub: Hub,
  id: string,
  request: IncomingMessage,
): { repository: Stored; access: boolean } {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  const allowed = token === undefined ? undefined : hub.options.tokens?.[token];
  if (token !== undefined && allowed === undefined) {
    throw refusal(401, undefined, "Invalid credentials in Authorization header");
  }
  const repository = hub.repositories.get(id);
  const access = allowed === true || (allowed?.includes(id) ?? false);
  if (!repository || (repository.private && !access)) {
    throw token === undefined
      ? refusal(401, undefined, "Invalid username or password.")
      : refusal(404, "RepoNotFound", "Repository not found");
  }
  return { repository, access };
}

function findCommit(repository: Stored, revision: string): string {
  const commit = repository.refs.get(revision) ?? (repository.commits.has(revision) ? revision : undefined);
  if (!commit) throw refusal(404, "RevisionNotFound", `Invalid rev id: ${revision}`);
  return commit;
}

function answerApi(hub: Hub, url: URL, request: IncomingMessage): Answer {
  const match = /^\/api\/models\/(.+?)(?:\/(revision|tree)\/([^/]+)\/?)?$/.exec(url.pathname);
  const id = match?.[1] ?? "";
  const { repository } = findRepository(hub, id, request);
  const revision = decodeURIComponent(match?.[3] ?? "main");
  const commit = findCommit(repository, revision === "HEAD" ? "main" : revision);
  const files = [...(repository.commits.get(commit) ?? [])];
  if (match?.[2] !== "tree") {
    const siblings = files.map(([rfilename]) => ({ rfilename }));
    const about = { private: repository.private ?? false, gated: repository.gated ?? false };
    return new Answer(200, {}, { _id: sha1(id).slice(0, 24), id, sha: commit, ...about, siblings });
  }
  const folders = new Set(files.map(([name]) => path.posix.dirname(name)).filter((name) => name !== "."));
  const entries = [
    ...[...folders].map((name) => ({ type: "directory", oid: sha1(name), size: 0, path: name })),
    ...files.map(([name, { content, oid, sha256 }]) => ({
      type: "file",
      oid,
      size: content.length,
      path: name,
      ...(sha256 ? { lfs: { oid: sha256, size: content.length, pointerSize: 134 } } : {}),
    })),
  ];
  const page = hub.options.pageSize ?? 1000;
  const start = Number(url.searchParams.get("cursor") ?? 0);
  url.searchParams.set("cursor", String(start + page));
  const link = start + page < entries.length ? { link: `<${url.href}>; rel="next"` } : {};
  return new Answer(200, link as Record<string, string>, entries.slice(start, start + page));
}

async function resolveFile(
  hub: Hub,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  const match = /^\/(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(url.pathname);
  if (!match) throw refusal(404, undefined, "Sorry, we can't find the page you are looking for.");
  const [, id, revision, file] = match;
  const { repository, access } = findRepository(hub, id, request);
  if (repository.gated && !access) {
    const status = request.headers.authorization ? 403 : 401;
    throw refusal(status, "GatedRepo", `Access to model ${id} is restricted.`);
  }
  const commit = findCommit(repository, decodeURIComponent(revision));
  const stored = repository.commits.get(commit)?.get(decodeURIComponent(file));
  if (!stored) throw refusal(404, "EntryNotFound", "Entry not found");
  response.setHeader("x-repo-commit", commit);
  if (stored.sha256 === undefined) return send(stored.content, stored.oid, request, response, fault);
  throw new Answer(302, {
    location: `${hub.storeUrl}/${id}/${stored.sha256}?signature=${sha1(stored.sha256)}`,
    "x-repo-commit": commit,
    "x-linked-etag": `"${stored.sha256}"`,
    "x-linked-size": String(stored.content.length),
  });
}

/** The file store: knows signed addresses only, and like the real ones refuses a second kind of credentials. */
async function sendStored(
  hub: Hub,
  url: URL,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  if (request.headers.authorization) throw new Answer(400, {}, { error: "only one auth mechanism allowed" });
  const sha256 = path.posix.basename(url.pathname);
  if (url.searchParams.get("signature") !== sha1(sha256))
    throw new Answer(403, {}, { error: "bad signature" });
  const trees = [...hub.repositories.values()].flatMap((repository) => [...repository.commits.values()]);
  const stored = trees.flatMap((tree) => [...tree.values()]).find((file) => file.sha256 === sha256);
  if (!stored) throw new Answer(404);
  // Not the sha256: the stores have etags of their own.
  return send(stored.content, sha1(sha256).slice(0, 32), request, response, fault);
}

async function send(
  content: Buffer,
  etag: string,
  request: IncomingMessage,
  response: ServerResponse,
  fault: Fault | undefined,
): Promise<void> {
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const unchanged = (request.headers["if-range"] ?? `"${etag}"`) === `"${etag}"`;
  const partial = range && unchanged && !fault?.ignoreRange;
  const start = partial ? Number(range[1]) : 0;
  const end = partial && range[2] ? Math.min(Number(range[2]) + 1, content.length) : content.length;
  if (partial && start >= content.length) {
    throw new Answer(416, { "content-range": `bytes */${content.length}` });
  }
  const body = Buffer.from(content.subarray(start, end));
  if (fault?.corrupt && body.length > 0) body[body.length >> 1] ^= 0xff;
  response.writeHead(partial ? 206 : 200, {
    etag: `"${etag}"`,
    "accept-ranges": "bytes",
    "content-length": body.length,
    "content-type": "application/octet-stream",
    ...(partial ? { "content-range": `bytes ${start}-${end - 1}/${content.length}` } : {}),
  });
  if (request.method === "HEAD") return void response.end();
  if (fault?.afterBytes !== undefined && fault.afterBytes < body.length) {
    response.write(body.subarray(0, fault.afterBytes), () => {
      if (fault.ending !== "stall") response.destroy();
    });
  } else if (fault?.bytesPerSecond) {
    const slice = Math.max(1, Math.round(fault.bytesPerSecond / 20));
    for (let sent = 0; sent < body.length && !response.destroyed; sent += slice) {
      response.write(body.subarray(sent, sent + slice));
      await delay(50);
    }
    response.end();
  } else response.end(body);
}

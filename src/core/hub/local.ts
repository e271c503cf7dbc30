import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { fromFileSystem, HfmsError } from "../errors.js";
import type { RepoFile } from "../requests.js";
import { ggufParts } from "../weights/gguf-parts.js";
import { filesBelow } from "./cache.js";
import type { Repository, Source } from "./types.js";

/** A folder in Hub layout, or one GGUF file with its other parts. Nothing is copied or changed. */
export function local(): Source {
  return {
    name: "local",
    resolve: (ref) => readLocal(path.resolve(ref.id), ref.quant),
    // Nothing is transferred, so there is no progress to tell.
    async *fetch(repository, files) {
      for (const file of files) {
        await stat(path.join(repository.directory, file)).catch((error) => {
          throw new HfmsError("file_error", `${path.join(repository.directory, file)} is not there`, {
            cause: error,
          });
        });
      }
    },
  };
}

/** Hub ids never look like this. */
export function isLocalPath(id: string): boolean {
  return path.isAbsolute(id) || /^\.{1,2}(?:[/\\]|$)/.test(id);
}

async function readLocal(location: string, quant?: string): Promise<Repository> {
  const stats = await stat(location).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw fromFileSystem(error, location);
    throw new HfmsError("model_not_found", `no such file or folder: ${location}`, { param: "model" });
  });
  const directory = stats.isDirectory() ? location : path.dirname(location);
  if (!stats.isDirectory() && !/\.gguf$/i.test(location)) {
    throw new HfmsError("unsupported_model", `${location} is neither a folder nor a .gguf file`, {
      hint: "for safetensors give the folder, which has config.json and the tokenizer",
    });
  }
  const files = stats.isDirectory()
    ? await filesBelow(location).catch((error) => {
        throw fromFileSystem(error, location);
      })
    : await partsOf(location);
  return {
    // One name for a model, whichever of its parts was given.
    id: stats.isDirectory() ? location : path.join(directory, files[0].path),
    source: "local",
    revision: await contentKey(directory, files),
    directory,
    quant,
    files: files.map((file) => ({ ...file, cached: true })),
  };
}

/** The file, or all parts of the split model that it is a part of. */
async function partsOf(location: string): Promise<RepoFile[]> {
  const parts = ggufParts(location);
  const sizes = parts.map(async (part) => {
    const stats = await stat(part).catch((error) => {
      throw new HfmsError("corrupt_file", `${part}, one of the model's ${parts.length} files, is not there`, {
        hint: "put all of them into one folder",
        cause: error,
      });
    });
    return { path: path.basename(part), size: stats.size };
  });
  return Promise.all(sizes);
}

/**
 * Changes when the model does, without reading gigabytes: names, sizes and modification times of all files, and the
 * content of config.json. 40 hex digits, like a commit.
 */
async function contentKey(directory: string, files: RepoFile[]): Promise<string> {
  const hash = createHash("sha256");
  for (const file of files) {
    const { mtimeMs } = await stat(path.join(directory, file.path));
    hash.update(`${file.path}\0${file.size}\0${mtimeMs}\n`);
  }
  if (files.some((file) => file.path === "config.json")) {
    hash.update(await readFile(path.join(directory, "config.json")));
  }
  return hash.digest("hex").slice(0, 40);
}

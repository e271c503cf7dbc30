import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fromFileSystem, HfmsError } from "../errors.js";
import { gguf } from "./gguf.js";
import { ggufParts } from "./gguf-parts.js";
import { safetensors } from "./safetensors.js";
import { openShardedSafetensors, shardIndexSuffix } from "./sharded.js";
import type { WeightFile, WeightFormat } from "./types.js";

export const weightFormats = { safetensors, gguf } satisfies Record<WeightFormat["name"], WeightFormat>;

/**
 * Opens the weights at `path`: a .safetensors or .gguf file, any part of a split .gguf file, a .safetensors.index.json with its
 * shards, or a directory in Hub layout. In a directory the order is model.safetensors, the sharded index, then the only
 * .safetensors or .gguf file.
 * The caller disposes of the result. Throws corrupt_file, unsupported_dtype, unsupported_model or file_error.
 */
export async function openWeights(path: string): Promise<WeightFile> {
  const file = (await isDirectory(path)) ? await findWeights(path) : path;
  if (file.endsWith(shardIndexSuffix)) return openShardedSafetensors(file);
  const format = Object.values(weightFormats).find((candidate) => candidate.matches(file));
  if (format === undefined) throw noWeights(`${path} is neither a .safetensors nor a .gguf file`);
  return format.open(file);
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw fromFileSystem(error, path);
    throw new HfmsError("file_error", `there is no file or directory ${path}`, { cause: error });
  }
}

async function findWeights(directory: string): Promise<string> {
  const names = (await readNames(directory)).sort();
  const index = `model${shardIndexSuffix}`;
  for (const usual of ["model.safetensors", index]) {
    if (names.includes(usual)) return join(directory, usual);
  }
  for (const format of Object.values(weightFormats)) {
    const files = names.filter((name) => format.matches(name));
    // The parts of a split GGUF model are one model, by the name of the first.
    const found = [...new Set(files.map((name) => ggufParts(name)[0]))];
    if (found.length === 1) return join(directory, found[0]);
    if (found.length > 1) {
      throw new HfmsError(
        "invalid_request",
        `${directory} has several ${format.name} files: ${found.join(", ")}`,
        {
          hint: "name one of them",
        },
      );
    }
  }
  const others = names.filter((name) => /\.(bin|pt|pth|ckpt|h5|msgpack|onnx)$/.test(name));
  const only = others.length > 0 ? `, only ${others.join(", ")}` : "";
  throw noWeights(`${basename(directory)} has no safetensors or GGUF weights${only}`);
}

async function readNames(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    throw fromFileSystem(error, directory);
  }
}

function noWeights(message: string): HfmsError {
  return new HfmsError("unsupported_model", message, {
    hint: "take a model that is published as safetensors or GGUF",
  });
}

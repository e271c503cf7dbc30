import { basename } from "node:path";
import { missingTensor } from "./tensor-file.js";
import type { MetadataValue, TensorInfo, WeightFile } from "./types.js";

export interface JoinedFile {
  /** What the parts are known by, in messages. */
  file: string;
  /** The part that has each tensor, by the tensor's name. */
  parts: ReadonlyMap<string, WeightFile>;
  metadata: ReadonlyMap<string, MetadataValue>;
  close(): Promise<void>;
}

/** Several open files as one. Every tensor that `parts` names must be in its part. */
export function joinFiles({ file, parts, metadata, close }: JoinedFile): WeightFile {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, part] of parts) tensors.set(name, part.tensors.get(name)!);
  const partOf = (name: string): WeightFile => {
    const part = parts.get(name);
    if (part === undefined) throw missingTensor(basename(file), name, tensors.size);
    return part;
  };
  return {
    tensors,
    metadata,
    readBytes: async (name, firstRow, rows) => partOf(name).readBytes(name, firstRow, rows),
    readFloat32: async (name, firstRow, rows) => partOf(name).readFloat32(name, firstRow, rows),
    [Symbol.asyncDispose]: close,
  };
}

export async function closeAll(files: Iterable<WeightFile>): Promise<void> {
  for (const file of files) await file[Symbol.asyncDispose]();
}

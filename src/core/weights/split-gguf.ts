import { basename, dirname } from "node:path";
import { HfmsError } from "../errors.js";
import { closeAll, joinFiles } from "./joined-file.js";
import { corruptFile } from "./tensor-file.js";
import type { MetadataValue, WeightFile } from "./types.js";

/**
 * One WeightFile over a model that llama-gguf-split cut: `stem-00001-of-00003.gguf` and its siblings, from the path of any of
 * them. The first part has the metadata; each has `split.no` (from 0) and `split.count`. Throws corrupt_file naming the part
 * that is missing or belongs elsewhere.
 */
export async function openSplitGguf(
  parts: readonly string[],
  open: (file: string) => Promise<WeightFile>,
): Promise<WeightFile> {
  const files: WeightFile[] = [];
  try {
    for (const [index, part] of parts.entries()) {
      files.push(await openPart(part, parts, open));
      checkPart(part, files[index].metadata, index, parts.length);
    }
    const owners = ownersOf(parts, files);
    checkCount(parts[0], files[0].metadata, owners.size);
    const { metadata } = files[0];
    return joinFiles({ file: parts[0], parts: owners, metadata, close: () => closeAll(files) });
  } catch (error) {
    await closeAll(files);
    throw error;
  }
}

/** Refuses a part that has lost its name: without it, nobody knows where the others are. */
export function refuseLonePart(file: string, metadata: ReadonlyMap<string, MetadataValue>): void {
  const count = metadata.get("split.count");
  if (typeof count !== "number" || count <= 1) return;
  const part = String(Number(metadata.get("split.no") ?? 0) + 1).padStart(5, "0");
  const ending = `-${part}-of-${String(count).padStart(5, "0")}.gguf`;
  throw new HfmsError("unsupported_model", `${file} is a part of a GGUF model in ${count} files`, {
    hint: `give it back its name, which ends in ${ending}, with the other parts beside it`,
  });
}

async function openPart(
  part: string,
  parts: readonly string[],
  open: (file: string) => Promise<WeightFile>,
): Promise<WeightFile> {
  try {
    return await open(part);
  } catch (error) {
    if (!(error instanceof HfmsError) || error.code !== "file_error") throw error;
    throw new HfmsError(
      "corrupt_file",
      `${basename(part)}, one of the model's ${parts.length} files, is not in ${dirname(part)}`,
      { hint: `put all ${parts.length} files into one folder, or pull the model again`, cause: error },
    );
  }
}

function checkPart(
  file: string,
  metadata: ReadonlyMap<string, MetadataValue>,
  index: number,
  count: number,
): void {
  const said = { number: metadata.get("split.no"), count: metadata.get("split.count") };
  if (said.number === index && said.count === count) return;
  throw corruptFile(
    file,
    `is named part ${index + 1} of ${count}, but its split.no is ${said.number} (from 0) and its split.count ${said.count}`,
  );
}

function ownersOf(parts: readonly string[], files: readonly WeightFile[]): Map<string, WeightFile> {
  const owners = new Map<string, WeightFile>();
  for (const [index, file] of files.entries()) {
    for (const name of file.tensors.keys()) {
      const other = owners.get(name);
      if (other !== undefined) {
        const where = basename(parts[files.indexOf(other)]);
        throw corruptFile(parts[index], `has the tensor "${name}", which ${where} has too`);
      }
      owners.set(name, file);
    }
  }
  return owners;
}

function checkCount(file: string, metadata: ReadonlyMap<string, MetadataValue>, found: number): void {
  const expected = metadata.get("split.tensors.count");
  if (expected === undefined || expected === found) return;
  throw corruptFile(
    file,
    `says that its parts have ${expected} tensors (split.tensors.count), but they have ${found}`,
  );
}

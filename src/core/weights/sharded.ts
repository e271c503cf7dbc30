import { readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fromFileSystem, HfmsError } from "../errors.js";
import { closeAll, joinFiles } from "./joined-file.js";
import { MAX_HEADER_BYTES, safetensors } from "./safetensors.js";
import { corruptFile } from "./tensor-file.js";
import type { MetadataValue, WeightFile } from "./types.js";

/** The ending of an index's file name: model.safetensors.index.json. */
export const shardIndexSuffix = ".safetensors.index.json";

/**
 * One WeightFile over a sharded checkpoint: `file` is the index (`{"metadata": {…}, "weight_map": {tensor: shard}}`), the shards
 * lie beside it. Throws corrupt_file when a shard is missing or lacks a tensor that the index promises.
 */
export async function openShardedSafetensors(file: string): Promise<WeightFile> {
  const weightMap = await readWeightMap(file);
  const shards = new Map<string, WeightFile>();
  try {
    for (const shard of new Set(weightMap.values())) shards.set(shard, await openShard(file, shard));
    return joinShards(file, weightMap, shards);
  } catch (error) {
    await closeAll(shards.values());
    throw error;
  }
}

// A checkpoint of a thousand shards of 5 GB would be 5 TB; each is an open file.
const MAX_SHARDS = 1000;

async function readWeightMap(file: string): Promise<Map<string, string>> {
  const text = await readIndex(file);
  let index: { weight_map?: unknown } | null;
  try {
    index = JSON.parse(text);
  } catch (cause) {
    throw corruptFile(file, "is not JSON", cause);
  }
  const map = index?.weight_map;
  if (typeof map !== "object" || map === null) throw corruptFile(file, 'has no "weight_map"');
  const weightMap = new Map<string, string>(Object.entries(map));
  for (const [tensor, shard] of weightMap) {
    // A shard is a file beside the index, nothing else: an index from a stranger must not reach other folders.
    const isPlainName = typeof shard === "string" && /^[^/\\\0]+$/.test(shard) && safetensors.matches(shard);
    if (!isPlainName)
      throw corruptFile(file, `puts tensor "${tensor}" into "${shard}", which is no file beside it`);
  }
  const count = new Set(weightMap.values()).size;
  if (count > MAX_SHARDS) throw corruptFile(file, `names ${count} shards; the limit is ${MAX_SHARDS}`);
  return weightMap;
}

async function readIndex(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_HEADER_BYTES)
      throw corruptFile(file, `has ${size} bytes; the limit is ${MAX_HEADER_BYTES}`);
    return await readFile(file, "utf8");
  } catch (error) {
    throw fromFileSystem(error, file);
  }
}

async function openShard(index: string, shard: string): Promise<WeightFile> {
  try {
    return await safetensors.open(join(dirname(index), shard));
  } catch (error) {
    if (!(error instanceof HfmsError) || error.code !== "file_error") throw error;
    throw corruptFile(index, `names ${shard}, which is not in ${dirname(index)}`, error);
  }
}

function joinShards(
  file: string,
  weightMap: Map<string, string>,
  shards: Map<string, WeightFile>,
): WeightFile {
  const parts = new Map<string, WeightFile>();
  for (const [name, shard] of weightMap) {
    const part = shards.get(shard)!;
    if (!part.tensors.has(name))
      throw corruptFile(file, `says that tensor "${name}" is in ${shard}, which does not have it`);
    parts.set(name, part);
  }
  const metadata = new Map<string, MetadataValue>(
    [...shards.values()].flatMap((shard) => [...shard.metadata]),
  );
  return joinFiles({ file, parts, metadata, close: () => closeAll(shards.values()) });
}

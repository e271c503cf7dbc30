import type { BuiltModel } from "../model-pool.js";
import type { PreparedModel } from "../requests.js";
import { KvCache } from "../runtime/kv-cache.js";

const MEBI = 2 ** 20;
/** Tokens that all requests of a model are expected to keep at once. */
const EXPECTED_TOKENS = 4096;
/** A process with Node, the runtime's library and a vocabulary, before it has weights. */
export const PROCESS_BYTES = 120 * MEBI;
/** What a prompt's run takes beside weights and cache, and what the runtime keeps of it. */
const WORK_BYTES = 180 * MEBI;
/** What the graph for prompts takes besides, to read a cache of int8 as floats. */
const DECODED_BYTES = 80 * MEBI;

/** What loading a built graph comes to. */
export function preparedModel({ directory, manifest }: BuiltModel): PreparedModel {
  const { model, revision, dtype, tasks } = manifest;
  const { contextLength } = manifest.info;
  return { model, revision, dtype, tasks, directory, contextLength, memoryNeed: memoryNeed(manifest) };
}

/**
 * Bytes that a host will take, before it can be measured. On SmolLM2-135M it is 10 to 16 % above what was measured
 * behind a prompt of 1,400 tokens in fp32, int8 and int4 (bench/hosts.ts); with a cache of int8, 3 to 16 %.
 */
function memoryNeed({ weightsSize, info, prefill, kvCacheDtype }: BuiltModel["manifest"]): number {
  const perToken = info.kind === "encoder" ? 0 : KvCache.positionBytes(info);
  const cache = perToken * Math.min(info.contextLength, EXPECTED_TOKENS);
  // The runtime packs matrices anew for its kernels; the graph for prompts reads the file's own beside them.
  const weights = weightsSize * (prefill ? 2 : 1);
  const decoded = prefill && kvCacheDtype === "int8" ? DECODED_BYTES : 0;
  return PROCESS_BYTES + WORK_BYTES + weights + cache + decoded;
}

/** "1.4 GiB", "310 MiB". */
export function describeBytes(bytes: number): string {
  const gibi = bytes / 2 ** 30;
  return gibi >= 1 ? `${gibi.toFixed(1)} GiB` : `${Math.ceil(bytes / MEBI)} MiB`;
}

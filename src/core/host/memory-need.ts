import type { BuiltModel } from "../model-pool.js";
import type { PreparedModel } from "../requests.js";

const MEBI = 2 ** 20;
/** Tokens that all requests of a model are expected to keep at once. */
const EXPECTED_TOKENS = 4096;
/** A process with Node, the runtime's library and a vocabulary, before it has weights. Measured: bench/hosts.ts. */
export const PROCESS_BYTES = 120 * MEBI;

/** What loading a built graph takes. */
export function preparedModel({ directory, manifest }: BuiltModel): PreparedModel {
  const { model, revision, dtype, tasks, weightsSize, info } = manifest;
  const kvBytesPerToken = info.kind === "decoder" ? 2 * info.layers * info.kvHeads * info.headDim * 4 : 0;
  const { contextLength } = info;
  return { model, revision, dtype, tasks, directory, weightsSize, kvBytesPerToken, contextLength };
}

/** Bytes that a host will take, before it can be measured: weights, keys and values, and the process itself. */
export function memoryNeed({ weightsSize, kvBytesPerToken, contextLength }: PreparedModel): number {
  return PROCESS_BYTES + weightsSize + kvBytesPerToken * Math.min(contextLength, EXPECTED_TOKENS);
}

/** "1.4 GiB", "310 MiB". */
export function describeBytes(bytes: number): string {
  const gibi = bytes / 2 ** 30;
  return gibi >= 1 ? `${gibi.toFixed(1)} GiB` : `${Math.ceil(bytes / MEBI)} MiB`;
}

import fs from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { throwIfAborted } from "../errors.js";
import type { GraphBuilder } from "../graph/builder.js";
import { WEIGHTS_FILE } from "../graph-store.js";
import type { Dtype } from "../requests.js";
import { requireSpace } from "./disk-space.js";
import { journalKey, readJournal, removeJournal, writeJournal } from "./journal.js";
import { cutPieces, type WeightPiece, writePiece } from "./pieces.js";
import type { ConversionSource } from "./source.js";
import { makeInThreads } from "./threads.js";

/** Sizes in bytes that say how the work is shared and secured. */
export interface WorkSizes {
  /** Of what a thread makes at a time. */
  piece: number;
  /** From so many bytes of weights on, threads pay for their start. */
  threads: number;
  /** So much is on the disk for sure before it is noted as done. */
  checkpoint: number;
}

export const usualSizes: WorkSizes = { piece: 2 ** 21, threads: 2 ** 26, checkpoint: 2 ** 28 };

/** More of them wait for the disk, and each takes some fifty megabytes. */
const MOST_THREADS = 8;

export interface WeightsWork {
  source: ConversionSource;
  dtype: Dtype;
  /** The graph's, whose weights are written. */
  layout: ReturnType<GraphBuilder["layout"]>;
  /** An unfinished graph, where the weights file goes; what is done there already is not done again. */
  folder: string;
  sizes: WorkSizes;
  /** At most; the processors that this process may use by default. */
  threads?: number;
  signal?: AbortSignal;
}

/**
 * Makes all weights and writes each to its place in the file. Yields the bytes that are done; the last number is all of
 * them. Throws disk_full before it begins where they don't fit.
 */
export async function* writeWeights(work: WeightsWork): AsyncGenerator<{ done: number; total: number }> {
  const { source, dtype, layout, folder, sizes, signal } = work;
  const pieces = cutPieces(layout, sizes.piece);
  const total = sum(pieces);
  const key = await journalKey(source, dtype, pieces);
  const target = path.join(folder, WEIGHTS_FILE);
  const begun = await fs.stat(target).catch(() => undefined);
  const first = begun?.size === layout.size ? await readJournal(folder, key) : 0;
  if (first === 0) await fs.rm(folder, { recursive: true, force: true });
  await fs.mkdir(folder, { recursive: true });
  await using file = await fs.open(target, first === 0 ? "w+" : "r+");
  await requireSpace(target, layout.size, source.model);
  await file.truncate(layout.size);

  const finished = new Set<number>();
  let whole = first;
  let secured = first;
  let securing: Promise<void> | undefined;
  let failure: unknown;
  const secure = (upTo: number): void => {
    securing = (async () => {
      await file.datasync();
      await writeJournal(folder, { key, pieces: upTo });
    })()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        securing = undefined;
      });
    secured = upTo;
  };
  let done = sum(pieces.slice(0, first));
  yield { done, total };
  try {
    for await (const piece of makePieces(work, { pieces, first, file: file.fd, total })) {
      throwIfAborted(signal);
      if (failure) throw failure;
      finished.add(piece);
      while (finished.delete(whole)) whole++;
      if (!securing && sum(pieces.slice(secured, whole)) >= sizes.checkpoint) secure(whole);
      done += pieces[piece].bytes;
      yield { done, total };
    }
  } finally {
    await securing;
  }
  if (failure) throw failure;
  if (total >= sizes.checkpoint) await file.datasync();
  await removeJournal(folder);
}

/** Yields the numbers of finished pieces. */
async function* makePieces(
  { source, dtype, layout, folder, sizes, threads = os.availableParallelism(), signal }: WeightsWork,
  {
    pieces,
    first,
    file,
    total,
  }: { pieces: readonly WeightPiece[]; first: number; file: number; total: number },
): AsyncGenerator<number> {
  if (total >= sizes.threads) {
    const target = path.join(folder, WEIGHTS_FILE);
    yield* makeInThreads(
      { source, dtype, file, target, pieceBytes: sizes.piece },
      { threads: Math.min(threads, MOST_THREADS), first, count: pieces.length, signal },
    );
    return;
  }
  for (let i = first; i < pieces.length; i++) {
    await writePiece(layout, pieces[i], file);
    yield i;
  }
}

function sum(pieces: readonly WeightPiece[]): number {
  return pieces.reduce((bytes, piece) => bytes + piece.bytes, 0);
}

import { writeSync } from "node:fs";
import { HfmsError } from "../errors.js";
import type { GraphBuilder, RowRange, WeightSpec } from "../graph/builder.js";
import { elementCount, elementTypes } from "../tensor.js";

type Layout = ReturnType<GraphBuilder["layout"]>;

/** Some rows of a weight stream, or all of one that can't be split: what a thread makes without knowing of the others. */
export interface WeightPiece {
  /** Its number in the layout. */
  stream: number;
  rows?: RowRange;
  /** What it takes in the weights file. */
  bytes: number;
}

/** Cuts the weights into pieces of about so many bytes, in the order of the file. */
export function cutPieces({ streams }: Layout, pieceBytes: number): WeightPiece[] {
  return streams.flatMap(({ stream: { specs, rows } }, stream) => {
    const bytes = specs.reduce((sum, spec) => sum + byteLength(spec), 0);
    if (!rows) return [{ stream, bytes }];
    const rowBytes = bytes / rows;
    const step = Math.max(1, Math.floor(pieceBytes / rowBytes));
    return Array.from({ length: Math.ceil(rows / step) }, (_, i) => {
      const first = i * step;
      const count = Math.min(step, rows - first);
      return { stream, rows: { first, count }, bytes: count * rowBytes };
    });
  });
}

/** Computes a piece and writes it to its places in the weights file, one chunk after the other. */
export async function writePiece({ streams }: Layout, piece: WeightPiece, file: number): Promise<void> {
  const { stream, offsets } = streams[piece.stream];
  const positions = stream.specs.map((spec, i) => {
    const rowBytes = byteLength(spec) / (stream.rows ?? 1);
    return offsets[i] + (piece.rows?.first ?? 0) * rowBytes;
  });
  let written = 0;
  for await (const chunk of stream.chunks(piece.rows)) {
    for (const [i, bytes] of chunk.entries()) {
      writeWhole(file, bytes, positions[i]);
      positions[i] += bytes.byteLength;
      written += bytes.byteLength;
    }
  }
  if (written !== piece.bytes) {
    const [{ name }] = stream.specs;
    throw new HfmsError("internal_error", `${name} gave ${written} bytes for ${piece.bytes}`);
  }
}

/** A disk that is nearly full takes a part of the bytes first; only the next write fails. */
function writeWhole(file: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.byteLength; )
    done += writeSync(file, bytes, done, bytes.byteLength - done, position + done);
}

function byteLength({ type, shape }: WeightSpec): number {
  return elementCount(shape) * elementTypes[type].bytes;
}

import { describe, expect, it } from "vitest";
import { storeMatrix } from "../../../../src/core/graph/blocks/matrix.js";
import { GraphBuilder, type WeightStream } from "../../../../src/core/graph/builder.js";
import type { MatrixFormat } from "../../../../src/core/graph/model-weights.js";
import { buildContext, noise } from "../../../memory-weights.js";
import fc from "../../../property.js";

const COLUMNS = 48;

/** The stream of a matrix of three tensors, 5, 1 and 7 rows. */
function stream(format: MatrixFormat): WeightStream {
  const tensors = Object.fromEntries(
    [5, 1, 7].map((rows, i) => [`t${i}`, { shape: [rows, COLUMNS], values: noise(rows * COLUMNS, i + 1) }]),
  );
  const g = new GraphBuilder();
  const matrix = { role: "qkv" as const, rows: 13, columns: COLUMNS, tensors: Object.keys(tensors) };
  storeMatrix(g, "matrix", matrix, buildContext(tensors, format));
  return g.layout().streams[0].stream;
}

/** For each spec all of its bytes. */
async function bytesOf(chunks: AsyncIterable<Uint8Array[]>): Promise<Buffer[]> {
  const pieces: Uint8Array[][] = [];
  for await (const chunk of chunks)
    for (const [i, piece] of chunk.entries()) {
      pieces[i] ??= [];
      pieces[i].push(piece);
    }
  return pieces.map((list) => Buffer.concat(list));
}

describe("rows of a matrix", () => {
  it.each<MatrixFormat>([{ bits: 32 }, { bits: 8, blockSize: 16 }, { bits: 4, blockSize: 16 }])(
    "have the same bytes alone as in the whole, in %o",
    async (format) => {
      const whole = await bytesOf(stream(format).chunks());
      const { rows = 0 } = stream(format);
      expect(rows).toBe(13);
      const ranges = fc.record({ first: fc.nat(12), count: fc.integer({ min: 1, max: 13 }) });
      await fc.assert(
        fc.asyncProperty(ranges, async ({ first, count }) => {
          const last = Math.min(first + count, rows);
          const part = await bytesOf(stream(format).chunks({ first, count: last - first }));
          expect(part).toEqual(
            whole.map((bytes) => {
              const row = bytes.length / rows;
              return bytes.subarray(first * row, last * row);
            }),
          );
        }),
        { numRuns: 40 },
      );
    },
  );
});

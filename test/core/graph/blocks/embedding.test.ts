import { describe, expect, it } from "vitest";
import { embedding, storeTableOf } from "../../../../src/core/graph/blocks/embedding.js";
import { lmHead } from "../../../../src/core/graph/blocks/lm-head.js";
import { GraphBuilder } from "../../../../src/core/graph/builder.js";
import type { MatrixFormat } from "../../../../src/core/graph/model-weights.js";
import { createTensor } from "../../../../src/core/tensor.js";
import { floats, runGraph } from "../../../graph-session.js";
import { buildContext, noise, onGrid } from "../../../memory-weights.js";
import { largestDifference } from "../../../tiny-model.js";

const [WORDS, HIDDEN] = [100, 64];
const formats: MatrixFormat[] = [
  { bits: 32 },
  { bits: 8, blockSize: 32 },
  { bits: 8, blockSize: 16 },
  { bits: 4, blockSize: 32 },
];

describe.each(formats)("a table in %o", (format) => {
  const raw = noise(WORDS * HIDDEN, 5);
  const values = format.bits === 32 ? raw : onGrid(raw, HIDDEN, format);
  const ctx = buildContext({ table: { shape: [WORDS, HIDDEN], values } }, format);
  const row = (id: number) => values.subarray(id * HIDDEN, (id + 1) * HIDDEN);

  it("gives the rows that ids choose, from the first to the last, and multiplies with the same bytes", async () => {
    const g = new GraphBuilder();
    const ids = g.input("ids", "int64", ["batch", "length"]);
    const x = g.input("x", "float32", ["rows", HIDDEN]);
    const table = storeTableOf(g, "table", "table", ctx);
    const y = embedding(g, "words", ids, table);
    g.output(y, "float32", ["batch", "length", HIDDEN]);
    lmHead(g, x, { tied: table }, ctx);

    const chosen = [0, 99, 7, 31, 64, 7];
    const tensor = createTensor("int64", [2, 3]);
    tensor.data.set(chosen.map(BigInt));
    // Whole numbers with a 127 in each block, which rounding to int8 does not change.
    const input = noise(3 * HIDDEN, 8).map((value, i) => (i % 16 === 2 ? 127 : Math.round(value * 127)));
    const rows = createTensor("float32", [2, 3, HIDDEN]);
    const logits = createTensor("float32", [3, WORDS]);
    await runGraph(g, {
      inputs: { ids: tensor, x: floats([3, HIDDEN], input) },
      outputs: { [y]: rows, logits },
    });

    for (const [i, id] of chosen.entries()) {
      const got = rows.data.subarray(i * HIDDEN, (i + 1) * HIDDEN);
      expect(largestDifference(got, row(id))).toBeLessThan(1e-6);
    }
    for (let r = 0; r < 3; r++) {
      for (let id = 0; id < WORDS; id++) {
        const exact = row(id).reduce((sum, value, i) => sum + value * input[r * HIDDEN + i], 0);
        expect(Math.abs(logits.data[r * WORDS + id] - exact)).toBeLessThan(2e-3);
      }
    }
    // One copy of the table, whatever number of names it has.
    const bits = format.bits === 32 ? 32 : format.bits + 32 / format.blockSize;
    expect(g.layout().size).toBeLessThan((WORDS * HIDDEN * bits) / 8 + 2 * 4096);
  });
});

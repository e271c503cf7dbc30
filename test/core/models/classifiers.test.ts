import { describe, expect, it } from "vitest";
import { loadTokenizer } from "../../../src/core/text/tokenizer.js";
import { classifierGoldens, golden } from "../../golden/reference.js";
import { graphsFolder, largestDifference, tinyEncoder, tinyGraph } from "../../tiny-model.js";

const graphs = graphsFolder();

// On logits of up to 2: sums in another order were 1.6e-6 at worst; rounding random weights 0.065 and 0.49.
const tolerances = { fp32: 1e-5, int8: 0.1, int4: 0.7 } as const;

describe.each(classifierGoldens)("%s", (name) => {
  const { directory, reference } = golden(name);
  const { inputs } = reference;
  const rows = inputs.map(({ tokens }) => tokens);
  const types = inputs.map(({ typeIds }) => typeIds);
  const labels = inputs[0].logits.values.length;

  it.each(Object.entries(tolerances))(
    "has PyTorch's logits in %s, up to its rounding",
    async (dtype, most) => {
      const encoder = await tinyEncoder(name, { root: graphs(), dtype: dtype as keyof typeof tolerances });
      for (const { tokens, typeIds, logits } of inputs) {
        const output = await encoder.run([tokens], undefined, [typeIds]);
        expect(output.logits?.shape).toEqual([1, labels]);
        expect(largestDifference(output.logits?.data as Float32Array, logits.values)).toBeLessThan(most);
      }
    },
  );

  it.each(["fp32", "int8", "int4"] as const)(
    "gives a row in %s bit-equal logits in any batch",
    async (dtype) => {
      const encoder = await tinyEncoder(name, { root: graphs(), dtype });
      const alone: Float32Array[] = [];
      for (const [i, row] of rows.entries()) {
        const { logits } = await encoder.run([row], undefined, [types[i]]);
        alone.push(logits?.data.slice() as Float32Array);
      }
      for (const count of [2, 3, 7, rows.length]) {
        const { logits } = await encoder.run(rows.slice(-count), undefined, types.slice(-count));
        const together = logits?.data as Float32Array;
        for (const [i, expected] of alone.slice(-count).entries())
          expect(together.slice(i * labels, (i + 1) * labels)).toEqual(expected);
      }
    },
  );

  it("forgets the segments of the run before", async () => {
    const encoder = await tinyEncoder(name, { root: graphs() });
    const [row] = rows;
    const before = (await encoder.run([row])).logits?.data.slice();
    await encoder.run([row], undefined, [row.map(() => 1)]);
    expect((await encoder.run([row])).logits?.data).toEqual(before);
  });

  it("tokenizes texts and pairs as transformers does", async () => {
    const tokenizer = await loadTokenizer(directory);
    const idsOf = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
    for (const { text, pair, tokens, typeIds, truncated } of inputs) {
      if (truncated) continue;
      const row = tokenizer.join(idsOf(text), pair === undefined ? undefined : idsOf(pair));
      expect(row).toEqual({ ids: tokens, typeIds });
    }
  });

  it("says beside the graph what it does and how many labels it has", async () => {
    const { manifest } = await tinyGraph(name, { root: graphs(), dtype: "int4" });
    const [first] = manifest.tasks;
    expect(first).toBe(labels === 1 ? "text-ranking" : "text-classification");
    expect(manifest.tasks).toContain("feature-extraction");
    expect(manifest.info).toMatchObject({ classifier: { labels: { length: labels }, segments: 2 } });
  });
});

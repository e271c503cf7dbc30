import { describe, expect, it } from "vitest";
import { engineHome, openEngine, rank } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";

const home = engineHome();
const { directory, reference } = golden("bert-ranker");
const pairs = reference.inputs.flatMap(({ text, pair, ...facts }) =>
  pair === undefined ? [] : [{ query: text, document: pair, ...facts, logit: facts.logits.values[0] }],
);
const queries = [...new Set(pairs.map(({ query }) => query))];
const model = { model: directory, dtype: "fp32" } as const;

describe("ranking", () => {
  it.each(queries)("gives PyTorch's logits of documents for %j", async (query) => {
    const engine = await openEngine(home());
    const expected = pairs.filter((pair) => pair.query === query);
    const documents = expected.map(({ document }) => document);
    const { results, done } = await rank(engine, { ...model, query, documents, raw: true, truncate: true });
    for (const [i, { logit, tokens, truncated }] of expected.entries()) {
      expect(results[i]).toMatchObject({ index: i, tokens: tokens.length });
      expect(results[i].truncated !== undefined).toBe(truncated ?? false);
      expect(results[i].score).toBeCloseTo(logit, 5);
    }
    const total = expected.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(done).toMatchObject({ count: documents.length, usage: { prompt_tokens: total } });
  });
});

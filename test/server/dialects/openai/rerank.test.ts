import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing({ config: { dtype: "fp32", maxItems: 50 } });
const model = "golden/bert-ranker";
const pairs = golden("bert-ranker").reference.inputs.flatMap(({ text, pair, score = Number.NaN, ...more }) =>
  pair === undefined || more.truncated ? [] : [{ query: text, document: pair, score, ...more }],
);
const { query } = pairs[0];
const expected = pairs.filter((pair) => pair.query === query);
const documents = expected.map(({ document }) => document);
const best = [...expected.keys()].sort((a, b) => expected[b].score - expected[a].score);

interface Reranked {
  results: { index: number; relevance_score: number; document?: { text: string } }[];
  usage: { total_tokens: number };
}

async function rerank(body: object, path = "/v1/rerank"): Promise<Reranked> {
  const response = await server().post(path, { model, query, documents, ...body });
  expect(response.status).toBe(200);
  return (await response.json()) as Reranked;
}

describe("ranked documents", () => {
  it("come best first with CrossEncoder's scores, and with real tokens counted", async () => {
    const answer = await rerank({});
    expect(answer).toMatchObject({ id: expect.stringMatching(/^rerank-/), model });
    expect(answer.results.map(({ index }) => index)).toEqual(best);
    for (const { index, relevance_score: score } of answer.results)
      expect(score).toBeCloseTo(expected[index].score, 5);
    const tokens = expected.reduce((sum, one) => sum + one.tokens.length, 0);
    expect(answer.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
    expect(answer.results.every(({ document }) => document === undefined)).toBe(true);
  });

  it("are the same at all three addresses, as texts and as objects", async () => {
    const { results } = await rerank({ documents: documents.map((text) => ({ text, title: "t" })) });
    for (const path of ["/rerank", "/v2/rerank"]) expect((await rerank({}, path)).results).toEqual(results);
  });

  it("are only the best ones, with their texts, where that is asked for", async () => {
    const { results } = await rerank({ top_n: 2, return_documents: true });
    expect(results.map(({ document }) => document?.text)).toEqual(best.slice(0, 2).map((i) => documents[i]));
    expect((await rerank({ top_n: 1000 })).results).toHaveLength(documents.length);
  });

  it("have scores between 0 and 1 where logits are not wanted", async () => {
    const raw = await rerank({ raw_scores: true });
    const between = await rerank({ raw_scores: false });
    for (const [i, { relevance_score: score }] of between.results.entries())
      expect(score).toBeCloseTo(1 / (1 + Math.exp(-raw.results[i].relevance_score)), 5);
  });

  it.each([
    ["no documents", { documents: [] }, "documents", null],
    ["a number as a document", { documents: ["a", 3] }, "documents[1]", null],
    ["no query", { query: "" }, "query", null],
    ["too many documents", { documents: Array(51).fill("a") }, "documents", null],
    ["too long a document", { documents: ["word ".repeat(500)] }, "documents", "context_length_exceeded"],
    ["fields to rank by", { rank_fields: ["title"] }, "rank_fields", null],
    ["a model that doesn't rank", { model: "golden/llama-gqa" }, "model", "unsupported_task"],
  ])("are refused by name: %s", async (_what, change, param, code) => {
    const response = await server().post("/v1/rerank", { model, query, documents, ...change });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param, code } });
  });

  it("that are too long are cut where that is asked for", async () => {
    const { results } = await rerank({ documents: ["word ".repeat(500)], truncate: true });
    expect(results).toHaveLength(1);
  });
});

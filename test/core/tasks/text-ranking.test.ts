import { describe, expect, it } from "vitest";
import type { RankRequest } from "../../../src/core/requests.js";
import { editedGolden } from "../../edited-golden.js";
import { classify, embed, engineHome, openEngine, rank } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";

const home = engineHome();
const { directory, reference } = golden("bert-ranker");
const pairs = reference.inputs.flatMap(({ text, pair, score = Number.NaN, ...facts }) =>
  pair === undefined ? [] : [{ query: text, document: pair, score, ...facts }],
);
const queries = [...new Set(pairs.map(({ query }) => query))];
const model = { model: directory, dtype: "fp32" } as const;
const question = pairs.filter(({ query, truncated }) => query === queries[0] && !truncated);
const request = { ...model, query: queries[0], documents: question.map(({ document }) => document) };
const scoresOf = (results: { score: number }[]) => results.map(({ score }) => score);
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

describe("ranking", () => {
  it.each(queries)("gives CrossEncoder's scores of documents for %j", async (query) => {
    const engine = await openEngine(home());
    const expected = pairs.filter((pair) => pair.query === query);
    const documents = expected.map(({ document }) => document);
    const { results, done } = await rank(engine, { ...model, query, documents, truncate: true });
    for (const [i, { score, tokens, truncated }] of expected.entries()) {
      expect(results[i]).toMatchObject({ index: i, tokens: tokens.length });
      expect(results[i].truncated !== undefined).toBe(truncated ?? false);
      expect(results[i].score).toBeCloseTo(score, 5);
    }
    const total = expected.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(done).toMatchObject({ count: documents.length, usage: { prompt_tokens: total } });
    expect(done.timings.rank_ms).toBeGreaterThan(0);
  });

  it("gives logits or their sigmoid where the request says so", async () => {
    const engine = await openEngine(home());
    const raw = await rank(engine, { ...request, raw: true });
    for (const [i, score] of scoresOf(raw.results).entries())
      expect(score).toBeCloseTo(question[i].logits.values[0], 5);
    const between = await rank(engine, { ...request, raw: false });
    expect(scoresOf(between.results)).toEqual(scoresOf(raw.results).map(sigmoid));
  });

  it.each<[string, Parameters<typeof editedGolden>[1], "sigmoid" | "logit"]>([
    ["nothing", { config: { sentence_transformers: undefined } }, "sigmoid"],
    [
      "Identity in the words of older releases",
      {
        config: {
          sentence_transformers: undefined,
          sbert_ce_default_activation_function: "torch.nn.modules.linear.Identity",
        },
      },
      "logit",
    ],
    [
      "Sigmoid in the file of newer releases, over what config.json says",
      {
        files: {
          "config_sentence_transformers.json": '{"activation_fn":"torch.nn.modules.activation.Sigmoid"}',
        },
      },
      "sigmoid",
    ],
  ])("takes the activation function from the model's files: %s", async (_, edit, kind) => {
    const engine = await openEngine(home());
    const edited = await editedGolden("bert-ranker", edit);
    const { results } = await rank(engine, { ...request, model: edited.directory });
    for (const [i, score] of scoresOf(results).entries()) {
      const logit = question[i].logits.values[0];
      expect(score).toBeCloseTo(kind === "logit" ? logit : sigmoid(logit), 5);
    }
  });

  it("refuses an activation function that it does not have, unless the request says what it wants", async () => {
    const engine = await openEngine(home());
    const config = { sentence_transformers: { activation_fn: "torch.nn.modules.activation.Tanh" } };
    const edited = { ...request, model: (await editedGolden("bert-ranker", { config })).directory };
    await expect(rank(engine, edited)).rejects.toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining("Tanh"),
      param: "raw",
    });
    expect((await rank(engine, { ...edited, raw: true })).results).toHaveLength(question.length);
  });

  it("of no documents has no scores", async () => {
    const engine = await openEngine(home());
    const { results, done } = await rank(engine, { ...request, documents: [] });
    expect([results, done.count]).toEqual([[], 0]);
  });

  it("says which text is too long, or which it cut", async () => {
    const engine = await openEngine(home());
    const long = "word ".repeat(200);
    const cases: [Partial<RankRequest>, string][] = [
      [{ query: "cat", documents: [long] }, "second"],
      [{ query: long, documents: ["cat"] }, "first"],
      [{ query: long, documents: [long] }, "both"],
    ];
    for (const [texts, part] of cases) {
      await expect(rank(engine, { ...request, ...texts })).rejects.toMatchObject({
        code: "context_length_exceeded",
        message: expect.stringMatching(/document 1 with the query has \d+ tokens; the model takes 128/),
        param: "documents",
      });
      const { results } = await rank(engine, { ...request, ...texts, truncate: true });
      expect(results).toMatchObject([{ tokens: 128, truncated: part }]);
    }
  });

  it("refuses models for other tasks, and names theirs", async () => {
    const engine = await openEngine(home());
    for (const [name, task] of [
      ["bert-classes", "text-classification"],
      ["bert-mean", "feature-extraction"],
      ["llama-gqa", "text-generation"],
    ] as const) {
      const wrong = { ...request, model: golden(name as "bert-classes").directory };
      await expect(rank(engine, wrong)).rejects.toMatchObject({
        code: "unsupported_task",
        message: expect.stringContaining(task),
      });
    }
  });
});

describe("several callers", () => {
  it.each(["fp32", "int8", "int4"] as const)(
    "of one model get the bits of a caller alone, whatever they ask for (%s)",
    async (dtype) => {
      const engine = await openEngine(home());
      const texts = reference.inputs.map(({ text }) => text);
      const ask = [
        async (query: string) =>
          scoresOf(
            (await rank(engine, { ...request, dtype, query, documents: texts, truncate: true })).results,
          ),
        async (text: string) =>
          (await classify(engine, { ...request, dtype, input: [text, { text, pair: text }], truncate: true }))
            .results,
        async (text: string) =>
          (await embed(engine, { ...request, dtype, input: [text, "cat"], truncate: true })).vectors,
      ];
      const alone: unknown[] = [];
      for (const [i, text] of texts.entries()) alone.push(await ask[i % 3](text));
      const together = await Promise.all(texts.map((text, i) => ask[i % 3](text)));
      expect(together).toEqual(alone);
      expect(await engine.ps()).toHaveLength(1);
    },
  );

  it("are not disturbed by one who stops", async () => {
    const engine = await openEngine(home());
    const alone = await rank(engine, request);
    const stop = async () => {
      const controller = new AbortController();
      const documents = Array.from({ length: 2000 }, (_, i) => `number ${i}`);
      for await (const { type } of engine.rank({ ...request, documents }, controller.signal))
        if (type === "score") setImmediate(() => controller.abort());
    };
    const [stopped, other] = await Promise.allSettled([stop(), rank(engine, request)]);
    expect(stopped).toMatchObject({ reason: { code: "aborted" } });
    expect(other).toMatchObject({ value: { results: alone.results } });
  });
});

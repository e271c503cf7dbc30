import { describe, expect, it } from "vitest";
import { judgement } from "../../../../src/server/dialects/openai/moderations/judgement.js";
import { classify } from "../../../engine-sandbox.js";
import fc from "../../../property.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing({ config: { dtype: "fp32" } });
const texts = ["cat", "a dog", "What is the capital of France?"];

const scored = (scores: Record<string, number>) =>
  Object.entries(scores).map(([label, score]) => ({ label, score }));
const single = { problem: "single_label_classification" } as const;
const several = { problem: "multi_label_classification" } as const;

describe("a judgement", () => {
  it("where one label fits, is that of the likeliest, and a harmless one flags nothing", () => {
    const flagged = judgement(scored({ toxic: 0.7, neutral: 0.3 }), single);
    expect(flagged).toEqual({
      flagged: true,
      categories: { toxic: true, neutral: false },
      category_scores: { toxic: 0.7, neutral: 0.3 },
      category_applied_input_types: { toxic: ["text"], neutral: ["text"] },
    });
    const fine = judgement(scored({ toxic: 0.3, neutral: 0.7 }), single);
    expect([fine.flagged, fine.categories]).toEqual([false, { toxic: false, neutral: false }]);
  });

  it("where several may fit, is that of those that are as likely as not", () => {
    const labels = scored({ toxic: 0.5, threat: 0.49, insult: 0.9 });
    expect(judgement(labels, several).categories).toEqual({ toxic: true, threat: false, insult: true });
    expect(judgement(scored({ toxic: 0.1, threat: 0.2 }), several).flagged).toBe(false);
  });

  it.each([
    ["non-toxic", "toxic"],
    ["NOT-HATE", "HATE"],
    ["nothate", "hate"],
    ["no_hate", "hate"],
    ["SAFE", "INJECTION"],
    ["sfw", "nsfw"],
    ["OK", "S"],
    ["ham", "spam"],
    ["safe", "not safe"],
    ["normal", "abnormal"],
  ])("knows that %s is harmless beside %s", (fine, bad) => {
    expect(judgement(scored({ [fine]: 0.9, [bad]: 0.1 }), single).flagged).toBe(false);
    expect(judgement(scored({ [fine]: 0.1, [bad]: 0.9 }), single).categories).toEqual({
      [fine]: false,
      [bad]: true,
    });
  });

  it("follows what the request calls harmless, and refuses a label that is none", () => {
    const labels = scored({ LABEL_0: 0.8, LABEL_1: 0.2 });
    expect(judgement(labels, { ...single, harmless: ["LABEL_0"] }).flagged).toBe(false);
    expect(judgement(labels, { ...single, harmless: ["LABEL_1"] }).flagged).toBe(true);
    expect(() => judgement(labels, { ...single, harmless: ["fine"] })).toThrow('no label "fine"');
  });

  it("is none where every text would be flagged, or the model tells a quantity", () => {
    expect(() => judgement(scored({ LABEL_0: 0.8, LABEL_1: 0.2 }), single)).toThrow("none is known");
    expect(() => judgement(scored({ joy: 3.4 }), { problem: "regression" })).toThrow("quantity");
  });

  it("flags a text exactly when one of its categories does, and invents no label", () => {
    const label = fc.constantFrom("toxic", "neutral", "threat", "not toxic", "insult", "ok");
    fc.assert(
      fc.property(
        fc.uniqueArray(label, { minLength: 1 }),
        fc.infiniteStream(fc.double({ min: 0, max: 1 })),
        (names, scores) => {
          const labels = names.map((name) => ({ label: name, score: scores.next().value as number }));
          const { flagged, categories, category_scores: values } = judgement(labels, several);
          expect(flagged).toBe(Object.values(categories).includes(true));
          expect([Object.keys(categories), Object.keys(values)]).toEqual([names, names]);
        },
      ),
    );
  });
});

describe("moderations", () => {
  it("judge by the labels of any classifier, through the official client", async () => {
    const model = "golden/bert-classes";
    const { results, ...head } = await server().client().moderations.create({ model, input: texts });
    expect(head).toMatchObject({ id: expect.stringMatching(/^modr-/), model });
    const direct = await classify(server().engine, { model, dtype: "fp32", input: texts });
    for (const [i, { labels }] of direct.results.entries()) {
      const [{ label: best }] = labels;
      expect(results[i].flagged).toBe(best !== "neutral");
      expect(results[i].category_scores).toEqual(
        Object.fromEntries(labels.map(({ label, score }) => [label, score])),
      );
    }
    const alone = await server().client().moderations.create({ model, input: texts[1] });
    expect(alone.results).toEqual([results[1]]);
  });

  it("take a model of whose labels several may fit", async () => {
    const { results } = await server()
      .client()
      .moderations.create({ model: "golden/bert-tags", input: "cat" });
    const { categories, category_scores: scores } = results[0] as unknown as {
      categories: Record<string, boolean>;
      category_scores: Record<string, number>;
    };
    for (const [label, fits] of Object.entries(categories)) expect(fits).toBe(scores[label] >= 0.5);
  });

  it.each([
    ["no text", { input: "" }, "input"],
    [
      "a picture",
      { input: [{ type: "image_url", image_url: { url: "https://example.com/a.png" } }] },
      "input",
    ],
    ["an unknown label", { harmless_labels: ["fine"] }, "harmless_labels"],
    ["a model without labels", { model: "golden/bert-mean" }, "model"],
    ["no model", { model: undefined }, "model"],
  ])("refuse by name: %s", async (_what, change, param) => {
    const response = await server().post("/v1/moderations", {
      model: "golden/bert-classes",
      input: "a",
      ...change,
    });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({
      error: { type: "invalid_request_error", param: expect.stringContaining(param) },
    });
  });
});

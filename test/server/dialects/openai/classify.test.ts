import { describe, expect, it } from "vitest";
import { golden } from "../../../golden/reference.js";
import { sharedServing } from "../../serving.js";

const server = sharedServing({ config: { dtype: "fp32" } });
const model = "golden/bert-classes";
const inputs = golden("bert-classes").reference.inputs.filter(
  ({ text, truncated }) => text !== "" && !truncated,
);
const labels = ["negative", "neutral", "positive"];

interface Classified {
  data: { label: string; score: number }[][];
  usage: { total_tokens: number };
}

async function classify(body: object, path = "/v1/classify"): Promise<Classified> {
  const response = await server().post(path, { model, ...body });
  expect(response.status).toBe(200);
  return (await response.json()) as Classified;
}

describe("labels", () => {
  it("of texts and pairs are PyTorch's, best first, and real tokens are counted", async () => {
    const input = inputs.map(({ text, pair }) => (pair === undefined ? text : { text, pair }));
    const answer = await classify({ input, raw_scores: true });
    expect(answer).toMatchObject({ object: "classify", model, id: expect.stringMatching(/^classify-/) });
    for (const [i, { logits }] of inputs.entries()) {
      const scores = answer.data[i].map(({ score }) => score);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
      for (const { label, score } of answer.data[i])
        expect(score).toBeCloseTo(logits.values[labels.indexOf(label)], 4);
    }
    const tokens = inputs.reduce((sum, one) => sum + one.tokens.length, 0);
    expect(answer.usage).toEqual({ prompt_tokens: tokens, total_tokens: tokens });
  });

  it("have probabilities that sum to 1 where one of them fits", async () => {
    const { data } = await classify({ input: "a dog" }, "/classify");
    expect(data).toHaveLength(1);
    expect(data[0].reduce((sum, { score }) => sum + score, 0)).toBeCloseTo(1, 6);
    const [only] = (await classify({ input: ["a dog"], top_k: 1 })).data;
    expect(only).toEqual(data[0].slice(0, 1));
  });

  it.each([
    ["no text", { input: "" }, "input", null],
    ["no texts", { input: [] }, "input", null],
    ["an empty text among others", { input: ["a", ""] }, "input[1]", null],
    ["no labels", { input: "a", top_k: 0 }, "top_k", null],
    ["too long a text", { input: "word ".repeat(500) }, "input", "context_length_exceeded"],
    ["a model without labels", { input: "a", model: "golden/bert-mean" }, "model", "unsupported_task"],
  ])("are refused by name: %s", async (_what, change, param, code) => {
    const response = await server().post("/v1/classify", { model, ...change });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error", param, code } });
  });
});

import { describe, expect, it } from "vitest";
import type { ClassifyInput } from "../../../src/core/requests.js";
import { classify, engineHome, openEngine } from "../../engine-sandbox.js";
import { classifierGoldens, type GoldenInput, golden } from "../../golden/reference.js";
import { largestDifference } from "../../tiny-model.js";

const home = engineHome();
const classes = golden("bert-classes");
const labelsOf = {
  "bert-classes": ["negative", "neutral", "positive"],
  "bert-tags": ["LABEL_0", "LABEL_1", "LABEL_2", "LABEL_3", "LABEL_4"],
  "bert-ranker": ["LABEL_0"],
};

// Sums in another order, on logits of up to 2.
const TOLERANCE = 1e-5;

describe.each(classifierGoldens)("classifying with %s in fp32", (name) => {
  const { directory, reference } = golden(name);
  const { inputs } = reference;
  const request = { model: directory, dtype: "fp32", raw: true, truncate: true } as const;

  it("gives PyTorch's logits for texts and pairs, cut as transformers cuts them", async () => {
    const engine = await openEngine(home());
    const { results, done } = await classify(engine, { ...request, input: inputs.map(inputOf) });
    for (const [i, { tokens, logits, truncated }] of inputs.entries()) {
      const { index, labels, ...rest } = results[i];
      expect(index).toBe(i);
      expect(rest.tokens).toBe(tokens.length);
      expect(rest.truncated !== undefined).toBe(truncated ?? false);
      const scores = labelsOf[name].map((label) => labels.find((one) => one.label === label)?.score ?? NaN);
      expect(labels).toHaveLength(scores.length);
      expect(largestDifference(Float32Array.from(scores), logits.values)).toBeLessThan(TOLERANCE);
    }
    const total = inputs.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(done).toMatchObject({
      count: inputs.length,
      usage: { prompt_tokens: total, total_tokens: total },
    });
  });

  it.each(["fp32", "int8", "int4"] as const)(
    "gives an input in %s bit-equal numbers in any company",
    async (dtype) => {
      const engine = await openEngine(home());
      const together = await classify(engine, { ...request, dtype, input: inputs.map(inputOf) });
      const alone = [];
      for (const input of inputs.map(inputOf)) {
        const { results } = await classify(engine, { ...request, dtype, input: [input] });
        alone.push(results[0].labels);
      }
      expect(alone).toEqual(together.results.map(({ labels }) => labels));
      const callers = inputs.map((_, i) => inputs.slice(i).map(inputOf));
      const answers = await Promise.all(
        callers.map((input) => classify(engine, { ...request, dtype, input })),
      );
      for (const [i, { results }] of answers.entries())
        expect(results.map(({ labels }) => labels)).toEqual(alone.slice(i));
    },
  );
});

describe("the scores", () => {
  const input = classes.reference.inputs.slice(0, 4).map(inputOf);

  it("of labels of which one fits are their share, best first", async () => {
    const engine = await openEngine(home());
    const { results } = await classify(engine, { model: classes.directory, dtype: "fp32", input });
    for (const [i, { labels }] of results.entries()) {
      const powers = [...classes.reference.inputs[i].logits.values].map(Math.exp);
      const sum = powers.reduce((a, b) => a + b, 0);
      expect(labels.reduce((total, { score }) => total + score, 0)).toBeCloseTo(1, 12);
      expect(labels.map(({ score }) => score)).toEqual(
        labels.map(({ score }) => score).toSorted((a, b) => b - a),
      );
      for (const { label, score } of labels)
        expect(score).toBeCloseTo(powers[labelsOf["bert-classes"].indexOf(label)] / sum, 5);
    }
  });

  it("of labels of which several may fit, or of a single one, stand for themselves", async () => {
    const engine = await openEngine(home());
    for (const name of ["bert-tags", "bert-ranker"] as const) {
      const { directory, reference } = golden(name);
      const { results } = await classify(engine, { model: directory, dtype: "fp32", input });
      for (const { labels, index } of results) {
        const { values } = reference.inputs[index].logits;
        for (const { label, score } of labels)
          expect(score).toBeCloseTo(1 / (1 + Math.exp(-values[labelsOf[name].indexOf(label)])), 5);
      }
    }
  });
});

/** A golden's input as a request has it. */
function inputOf({ text, pair }: GoldenInput): ClassifyInput {
  return pair === undefined ? text : { text, pair };
}

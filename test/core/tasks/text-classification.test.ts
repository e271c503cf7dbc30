import { describe, expect, it } from "vitest";
import type { ClassifyInput } from "../../../src/core/requests.js";
import { editedGolden } from "../../edited-golden.js";
import { classify, engineHome, generate, openEngine } from "../../engine-sandbox.js";
import { classifierGoldens, type GoldenInput, golden } from "../../golden/reference.js";
import { largestDifference } from "../../tiny-model.js";
import { safetensorsBytes, type TensorToWrite } from "../../weights-writer.js";

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

describe("a request", () => {
  const request = { model: classes.directory, dtype: "fp32", input: ["a cat"] } as const;

  it("may ask for the best labels only", async () => {
    const engine = await openEngine(home());
    const [all] = (await classify(engine, { ...request, input: ["a cat"] })).results;
    const [best] = (await classify(engine, { ...request, input: ["a cat"], topK: 1 })).results;
    expect(best.labels).toEqual(all.labels.slice(0, 1));
    for (const topK of [0, -1, 1.5]) {
      await expect(classify(engine, { ...request, input: ["a cat"], topK })).rejects.toMatchObject({
        code: "invalid_request",
        param: "topK",
      });
    }
  });

  it("with a text that is too long is an error that says which", async () => {
    const engine = await openEngine(home());
    const input = ["short", { text: "short", pair: "word ".repeat(200) }];
    await expect(classify(engine, { ...request, input })).rejects.toMatchObject({
      code: "context_length_exceeded",
      message: expect.stringMatching(/pair 2 has \d+ tokens; the model takes 128/),
      param: "input",
    });
    const { results } = await classify(engine, { ...request, input, truncate: true });
    expect(results[0]).not.toHaveProperty("truncated");
    expect(results[1]).toMatchObject({ tokens: 128, truncated: "second" });
  });

  it("for a model without a head is refused with what the model does", async () => {
    const engine = await openEngine(home());
    for (const [name, command] of [
      ["bert-mean", "hfms embed"],
      ["bert-legacy", "hfms run"],
    ] as const) {
      const { directory } = golden(name);
      await expect(classify(engine, { ...request, model: directory, input: ["a"] })).rejects.toMatchObject({
        code: "unsupported_task",
        message: expect.stringContaining("feature-extraction"),
        hint: expect.stringContaining(command),
      });
    }
    const prompt = { model: classes.directory, dtype: "fp32", prompt: "a" } as const;
    await expect(generate(engine, prompt)).rejects.toMatchObject({
      code: "unsupported_task",
      message: expect.stringContaining("text-classification"),
      hint: expect.stringContaining("hfms run"),
    });
  });

  it("to a model that predicts quantities gets them as they are", async () => {
    const engine = await openEngine(home());
    const { directory } = await editedGolden("bert-classes", { config: { problem_type: "regression" } });
    const input = ["a dog"];
    const { results } = await classify(engine, { ...request, model: directory, input });
    const { values } = classes.reference.inputs[1].logits;
    for (const { label, score } of results[0].labels)
      expect(score).toBeCloseTo(values[labelsOf["bert-classes"].indexOf(label)], 5);
  });

  it("to a model of a single label gets its probability, whatever config.json calls the problem", async () => {
    const engine = await openEngine(home());
    const config = { problem_type: "single_label_classification" };
    const { directory } = await editedGolden("bert-ranker", { config });
    const { results } = await classify(engine, { ...request, model: directory, input: ["a dog"] });
    const [logit] = golden("bert-ranker").reference.inputs[1].logits.values;
    expect(results[0].labels[0].score).toBeCloseTo(1 / (1 + Math.exp(-logit)), 5);
  });

  it("with a pair is refused by a model that has no way to tell two texts apart", async () => {
    const engine = await openEngine(home());
    const { directory } = await editedGolden("bert-classes", { weights: withOneSegment });
    const input = [{ text: "a", pair: "b" }];
    await expect(classify(engine, { ...request, model: directory, input })).rejects.toMatchObject({
      code: "unsupported_task",
      message: expect.stringContaining("one text at a time"),
      param: "input",
    });
    expect((await classify(engine, { ...request, model: directory, input: ["a"] })).results).toHaveLength(1);
  });
});

/** The weights with one row fewer in the table of segments. */
function withOneSegment(bytes: Buffer): Uint8Array {
  const start = 8 + Number(bytes.readBigUInt64LE());
  const header = JSON.parse(bytes.subarray(8, start).toString());
  const tensors: Record<string, TensorToWrite> = {};
  const entries = Object.entries<{
    dtype: TensorToWrite["dtype"];
    shape: number[];
    data_offsets: [number, number];
  }>(header);
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    if (name === "__metadata__") continue;
    const [from, to] = data_offsets;
    const one = name.endsWith("token_type_embeddings.weight");
    const data = bytes.subarray(start + from, start + (one ? (from + to) / 2 : to));
    tensors[name] = { dtype, shape: one ? [1, shape[1]] : shape, data };
  }
  return safetensorsBytes(tensors);
}

/** A golden's input as a request has it. */
function inputOf({ text, pair }: GoldenInput): ClassifyInput {
  return pair === undefined ? text : { text, pair };
}

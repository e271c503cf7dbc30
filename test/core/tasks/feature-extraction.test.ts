import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import type { EmbedRequest } from "../../../src/core/requests.js";
import { type Embedded, embed, engineHome, generate, openEngine } from "../../engine-sandbox.js";
import { encoderGoldens, golden } from "../../golden/reference.js";
import { cosine, largestDifference } from "../../tiny-model.js";

const home = engineHome();
const mean = golden("bert-mean");
const texts = ["a cat", "The quick brown fox jumps over the lazy dog.", "dog", "two\nlines of it", ""];

// Sums in another order, on components of up to 4 where the model does not normalise.
const TOLERANCE = 1e-5;

describe.each(encoderGoldens)("embedding with %s in fp32", (name) => {
  const { directory, reference } = golden(name);
  // Without sentence-transformers files hfms normalises; the reference does not.
  const normalize = name === "bert-legacy" ? false : undefined;
  const request = { model: directory, dtype: "fp32", truncate: true, normalize } as const;
  const prompts = [...new Set(reference.texts.map(({ prompt }) => prompt))];

  it.each(prompts)("gives sentence-transformers' vectors (prompt: %s)", async (promptName) => {
    const engine = await openEngine(home());
    const expected = reference.texts.filter(({ prompt }) => prompt === promptName);
    const input = expected.map(({ text }) => text);
    const { vectors, done } = await embed(engine, { ...request, input, promptName });
    for (const [i, { tokens, embedding }] of expected.entries()) {
      expect(vectors[i].index).toBe(i);
      expect(vectors[i].tokens).toBe(tokens.length);
      expect(cosine(vectors[i].embedding, embedding.values)).toBeGreaterThan(0.9999999);
      expect(largestDifference(vectors[i].embedding, embedding.values)).toBeLessThan(TOLERANCE);
    }
    const total = expected.reduce((sum, { tokens }) => sum + tokens.length, 0);
    expect(done).toMatchObject({
      count: expected.length,
      usage: { prompt_tokens: total, total_tokens: total },
    });
  });

  it.each(["fp32", "int8", "int4"] as const)(
    "gives a text in %s bit-equal numbers in any company",
    async (dtype) => {
      const engine = await openEngine(home());
      const input = reference.texts.map(({ text }) => text);
      const together = await embed(engine, { ...request, dtype, input });
      const inSmallBatches = await embed(engine, { ...request, dtype, input, batchTokens: 60 });
      expect(inSmallBatches.vectors).toEqual(together.vectors);
      for (const [i, text] of input.entries()) {
        const { vectors } = await embed(engine, { ...request, dtype, input: [text] });
        expect(vectors[0].embedding).toEqual(together.vectors[i].embedding);
      }
    },
  );
});

describe("the input", () => {
  it("may be a stream: what is there is answered before more comes", async () => {
    const engine = await openEngine(home());
    let released = () => {};
    const gate = new Promise<void>((resolve) => {
      released = resolve;
    });
    async function* lines() {
      yield "a";
      yield "b";
      await gate;
      yield "c";
    }
    const seen: number[] = [];
    for await (const event of engine.embed({ model: mean.directory, dtype: "fp32", input: lines() })) {
      if (event.type !== "embedding") continue;
      seen.push(event.index);
      if (event.index === 1) released();
    }
    expect(seen).toEqual([0, 1, 2]);
  });

  it("is answered in order, whatever the lengths, past the size of a window", async () => {
    const engine = await openEngine(home());
    const input = Array.from({ length: 1100 }, (_, i) => `number ${i} `.repeat(1 + (i % 3)));
    const { vectors, done } = await embed(engine, { model: mean.directory, dtype: "fp32", input });
    expect(vectors.map(({ index }) => index)).toEqual([...input.keys()]);
    expect(done.count).toBe(1100);
    for (const i of [0, 511, 512, 1099]) {
      const alone = await embed(engine, { model: mean.directory, dtype: "fp32", input: [input[i]] });
      expect(alone.vectors[0].embedding).toEqual(vectors[i].embedding);
    }
  });

  it("may be empty", async () => {
    const engine = await openEngine(home());
    const { vectors, done } = await embed(engine, { model: mean.directory, dtype: "fp32", input: [] });
    expect(vectors).toEqual([]);
    expect(done.count).toBe(0);
  });

  it("that is too long is an error that says which, or is cut when that is asked for", async () => {
    const engine = await openEngine(home());
    const input = ["short", "word ".repeat(200)];
    const request = { model: mean.directory, dtype: "fp32", input } as const;
    await expect(embed(engine, request)).rejects.toMatchObject({
      code: "context_length_exceeded",
      message: expect.stringMatching(/text 2 has \d+ tokens; the model takes 64/),
    });
    const { vectors } = await embed(engine, { ...request, truncate: true });
    expect(vectors.map(({ tokens, truncated }) => [tokens, truncated])).toEqual([
      [expect.any(Number), undefined],
      [64, true],
    ]);
  });
});

describe("the request", () => {
  const request = { model: mean.directory, dtype: "fp32", input: texts } as const;

  it("chooses pooling and normalisation over what the model's files say", async () => {
    const engine = await openEngine(home());
    const standard = await embed(engine, request);
    const written = await embed(engine, { ...request, pooling: "mean", normalize: true });
    expect(written.vectors).toEqual(standard.vectors);
    const raw = await embed(engine, { ...request, normalize: false });
    for (const [i, { embedding }] of raw.vectors.entries()) {
      expect(Math.hypot(...standard.vectors[i].embedding)).toBeCloseTo(1, 5);
      expect(Math.hypot(...embedding)).not.toBeCloseTo(1, 2);
      expect(cosine(embedding, standard.vectors[i].embedding)).toBeCloseTo(1, 6);
    }
    const [cls, last] = await Promise.all(
      (["cls", "last"] as const).map((pooling) => embed(engine, { ...request, pooling })),
    );
    for (const other of [cls, last]) {
      expect(cosine(other.vectors[1].embedding, standard.vectors[1].embedding)).toBeLessThan(0.999);
    }
  });

  it("keeps the first components and normalises them again", async () => {
    const engine = await openEngine(home());
    const whole = await embed(engine, { ...request, normalize: false });
    const { vectors } = await embed(engine, { ...request, dimensions: 16 });
    for (const [i, { embedding }] of vectors.entries()) {
      expect(embedding).toHaveLength(16);
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5);
      expect(cosine(embedding, whole.vectors[i].embedding.slice(0, 16))).toBeCloseTo(1, 6);
    }
  });

  it("puts a prefix before each text, the same as a prompt of those words", async () => {
    const engine = await openEngine(home());
    const named = await embed(engine, { ...request, promptName: "query" });
    const written = await embed(engine, { ...request, prefix: "query: " });
    const none = await embed(engine, { ...request, prefix: "" });
    expect(written.vectors).toEqual(named.vectors);
    expect(none.vectors[0].embedding).not.toEqual(named.vectors[0].embedding);
  });

  it.each<[Partial<EmbedRequest>, object]>([
    [{ dimensions: 0 }, { param: "dimensions" }],
    [{ dimensions: 129 }, { param: "dimensions", message: expect.stringContaining("1 to 128") }],
    [{ dimensions: 1.5 }, { param: "dimensions" }],
    [{ batchTokens: 0 }, { param: "batchTokens" }],
    [{ promptName: "answer" }, { param: "promptName", hint: expect.stringContaining("query, document") }],
    [{ promptName: "toString" }, { param: "promptName" }],
  ])("with %o is refused by name", async (change, error) => {
    const engine = await openEngine(home());
    await expect(embed(engine, { ...request, ...change })).rejects.toMatchObject({
      code: "invalid_request",
      ...error,
    });
  });

  it("for the wrong kind of model says what the model does", async () => {
    const engine = await openEngine(home());
    await expect(embed(engine, { ...request, model: golden("llama-gqa").directory })).rejects.toMatchObject({
      code: "unsupported_task",
      message: expect.stringContaining("text-generation"),
    });
    await expect(
      generate(engine, { model: mean.directory, dtype: "fp32", prompt: "hi" }),
    ).rejects.toMatchObject({
      code: "unsupported_task",
      hint: expect.stringContaining("embed"),
    });
    // Also when the model is loaded already.
    await embed(engine, request);
    await expect(
      generate(engine, { model: mean.directory, dtype: "fp32", prompt: "hi" }),
    ).rejects.toMatchObject({
      code: "unsupported_task",
    });
  });
});

describe("several callers", () => {
  const model = mean.directory;

  it.each(["fp32", "int8", "int4"] as const)("get the vectors of a caller alone (%s)", async (dtype) => {
    const engine = await openEngine(home());
    const inputs = Array.from({ length: 12 }, (_, caller) =>
      Array.from({ length: 1 + ((caller * 5) % 9) }, (_, i) =>
        `${caller} and ${i} `.repeat(1 + ((caller + i) % 4)),
      ),
    );
    const alone: Embedded[][] = [];
    for (const input of inputs) alone.push((await embed(engine, { model, dtype, input })).vectors);
    const together = await Promise.all(inputs.map((input) => embed(engine, { model, dtype, input })));
    expect(together.map(({ vectors }) => vectors)).toEqual(alone);
  });

  it("do not wait for one whose input never ends", async () => {
    const engine = await openEngine(home());
    const controller = new AbortController();
    const { promise: answered, resolve } = Promise.withResolvers<void>();
    async function* silent() {
      yield "a line";
      await new Promise<never>(() => {});
    }
    const slow = (async () => {
      for await (const event of engine.embed({ model, dtype: "fp32", input: silent() }, controller.signal)) {
        if (event.type === "embedding") resolve();
      }
    })();
    await answered;
    const { vectors } = await embed(engine, { model, dtype: "fp32", input: texts });
    expect(vectors).toHaveLength(texts.length);
    controller.abort();
    await expect(slow).rejects.toMatchObject({ code: "aborted" });
  });

  it("are not disturbed by one who stops, or whose text is too long", async () => {
    const engine = await openEngine(home());
    const input = Array.from({ length: 300 }, (_, i) => `number ${i} `.repeat(1 + (i % 3)));
    const request = { model, dtype: "fp32", input } as const;
    const alone = await embed(engine, request);
    const stopEarly = async () => {
      const controller = new AbortController();
      const many = { ...request, input: [...input, ...input, ...input, ...input] };
      // While the texts of its second window wait or run.
      for await (const { type } of engine.embed(many, controller.signal)) {
        if (type === "embedding") setImmediate(() => controller.abort());
      }
    };
    const [first, stopped, tooLong, last] = await Promise.allSettled([
      embed(engine, request),
      stopEarly(),
      embed(engine, { ...request, input: ["short", "word ".repeat(200)] }),
      embed(engine, request),
    ]);
    expect(stopped).toMatchObject({ reason: { code: "aborted" } });
    expect(tooLong).toMatchObject({ reason: { code: "context_length_exceeded" } });
    for (const { vectors } of [first, last].map(
      (one) => (one as PromiseFulfilledResult<typeof alone>).value,
    )) {
      expect(vectors).toEqual(alone.vectors);
    }
  });
});

describe("stopping", () => {
  it("by the signal ends the stream, closes the input, and the engine works on", async () => {
    const engine = await openEngine(home());
    const controller = new AbortController();
    let closed = false;
    async function* endless() {
      try {
        for (let i = 0; ; i++) {
          yield `text ${i}`;
          if (i % 100 === 0) await delay(20);
        }
      } finally {
        closed = true;
      }
    }
    const run = (async () => {
      const events = engine.embed(
        { model: mean.directory, dtype: "fp32", input: endless() },
        controller.signal,
      );
      for await (const event of events)
        if (event.type === "embedding" && event.index === 50) controller.abort();
    })();
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    await vi.waitFor(() => expect(closed).toBe(true));
    const { vectors } = await embed(engine, { model: mean.directory, dtype: "fp32", input: texts });
    expect(vectors).toHaveLength(texts.length);
  });

  it("while the input has nothing to say ends at once", async () => {
    const engine = await openEngine(home());
    async function* silent(): AsyncGenerator<string> {
      yield "a";
      await delay(30_000, undefined, { ref: false });
    }
    const start = performance.now();
    const run = embed(
      engine,
      { model: mean.directory, dtype: "fp32", input: silent() },
      AbortSignal.timeout(300),
    );
    await expect(run).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - start).toBeLessThan(15_000);
  });
});

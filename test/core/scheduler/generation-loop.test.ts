import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it, onTestFinished } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import type { Decoder } from "../../../src/core/runtime/decoder.js";
import { KvCache } from "../../../src/core/runtime/kv-cache.js";
import { Sampler } from "../../../src/core/runtime/sampler.js";
import { type GenerationLimits, GenerationLoop } from "../../../src/core/scheduler/generation-loop.js";
import type { GenerationRequest } from "../../../src/core/scheduler/generation-sequence.js";
import { golden } from "../../golden/reference.js";
import { graphsFolder, largestDifference, tinyDecoder } from "../../tiny-model.js";

const graphs = graphsFolder();
const { prompts } = golden("llama-gqa").reference;
const [, prompt, longer] = prompts;
const text = prompts.flatMap(({ tokens }) => tokens);
/** As many tokens as asked for, other ones for each `start`. */
const tokensOf = (count: number, start = 0) =>
  Array.from({ length: count }, (_, i) => text[(start + i) % text.length]);

describe("an abort", () => {
  it("ends a request at once wherever it is, and disturbs no other", async () => {
    const loop = await openLoop({ sequences: 2 });
    // What the others are doing is another thing after each number of turns.
    for (const turns of [0, 1, 2, 3, 4, 6, 9]) {
      const others = [prompt, longer].map((one) => start(loop, one.tokens, 40));
      const waiting = start(loop, tokensOf(300), 8);
      for (let i = 0; i < turns; i++) await turn();
      await expectStopped(waiting);
      const computed = start(loop, tokensOf(400), 8);
      await others[0].result;
      for (let i = 0; i < turns; i++) await turn();
      await expectStopped(computed);
      await Promise.all(others.map(({ result }) => result));
      expect(others.map(({ tokens }) => tokens)).toEqual(
        [prompt, longer].map(({ greedy }) => greedy.slice(0, 40)),
      );
      expect(loop.size).toBe(0);
    }
  });

  it("in the middle of an answer lets no further token through, also out of the caller's own function", async () => {
    const loop = await openLoop();
    const other = start(loop, longer.tokens, 40);
    const outside = start(loop, prompt.tokens, 400);
    await outside.reached(5);
    await expectStopped(outside);
    const inside = start(loop, prompt.tokens, 400, {
      onToken: () => {
        if (inside.tokens.length === 3) inside.abort();
        return true;
      },
    });
    await expect(inside.result).rejects.toMatchObject({ code: "aborted" });
    expect(inside.tokens).toEqual(prompt.greedy.slice(0, 3));
    await other.result;
    expect(other.tokens).toEqual(longer.greedy.slice(0, 40));
  });

  it("that came before the request runs nothing", async () => {
    const loop = await openLoop();
    const late = start(loop, prompt.tokens, 4, { signal: AbortSignal.abort() });
    await expect(late.result).rejects.toMatchObject({ code: "aborted" });
    expect([loop.size, late.tokens]).toEqual([0, []]);
  });
});

describe("an error", () => {
  const mine = new Error("mine");
  const thrown = (): never => {
    throw mine;
  };
  const sampler = new Sampler({});
  it.each<[string, Partial<GenerationRequest>]>([
    ["onToken", { onToken: thrown }],
    ["onPrompt", { onPrompt: thrown }],
    ["the sampler", { sampler: { sample: thrown } }],
    ["the matcher", { matcher: { mask: thrown, accept: thrown, complete: false } }],
    [
      "the sampler, later",
      { sampler: { sample: (logits) => (sampled++ < 5 ? sampler.sample(logits) : thrown()) } },
    ],
  ])("of %s of one caller ends that request alone", async (_what, change) => {
    sampled = 0;
    const loop = await openLoop();
    const other = start(loop, longer.tokens, 30);
    const failing = start(loop, prompt.tokens, 30, change);
    const third = start(loop, prompt.tokens, 30);
    await expect(failing.result).rejects.toBe(mine);
    await Promise.all([other.result, third.result]);
    expect([other.tokens, third.tokens]).toEqual([longer.greedy.slice(0, 30), prompt.greedy.slice(0, 30)]);
    expect(loop.size).toBe(0);
  });
  let sampled = 0;

  it("of the runtime ends what is in that run alone: not who answers, nor who waits, nor who keeps it company", async () => {
    const loop = await openLoop();
    const running = start(loop, longer.tokens, 40);
    await running.reached(2);
    // The vocabulary has 384 tokens.
    const failing = start(loop, [...prompt.tokens, 384], 8);
    const companions = [1, 2, 3].map((from) => start(loop, tokensOf(prompt.tokens.length, from), 8));
    await expect(failing.result).rejects.toMatchObject({ code: "runtime_error" });
    await Promise.all([running, ...companions].map(({ result }) => result));
    expect(running.tokens).toEqual(longer.greedy.slice(0, 40));
    for (const [i, { tokens }] of companions.entries()) {
      const alone = start(loop, tokensOf(prompt.tokens.length, i + 1), 8);
      await alone.result;
      expect(tokens).toEqual(alone.tokens);
    }
  });

  it("of what can never fit comes before anything runs", async () => {
    const loop = await openLoop({ cacheBytes: 300 });
    expect(loop.mostTokens).toBe(256);
    await expect(start(loop, prompt.tokens, 400).result).rejects.toMatchObject({
      code: "out_of_memory",
      message: expect.stringMatching(/for 512 tokens; there is memory for 300/),
    });
    const room = 512 - prompt.tokens.length;
    await expect(start(loop, prompt.tokens, room + 1).result).rejects.toMatchObject({
      code: "context_length_exceeded",
    });
    expect(loop.size).toBe(0);
    const fits = start(loop, prompt.tokens, 20);
    await fits.result;
    expect(fits.tokens).toEqual(prompt.greedy.slice(0, 20));
  });
});

describe("unloading", () => {
  it.each([0, 1, 2, 4, 8])(
    "after %d turns ends every request with `aborted`, and leaves no run behind",
    async (turns) => {
      const { decoder } = await tinyDecoder("llama-gqa", { root: graphs(), dtype: "int8" });
      const loop = new GenerationLoop(decoder, limitsOf(decoder, { sequences: 2 }));
      const requests = [0, 40, 80, 120].map((from) =>
        start(loop, tokensOf(from === 0 ? 40 : 300, from), 100),
      );
      for (let i = 0; i < turns; i++) await turn();
      const ends = requests.map(({ result }) => expect(result).rejects.toMatchObject({ code: "aborted" }));
      await loop[Symbol.asyncDispose]();
      await Promise.all(ends);
      const counts = requests.map(({ tokens }) => tokens.length);
      // The native library would crash here if something still ran.
      await decoder[Symbol.asyncDispose]();
      for (let i = 0; i < 5; i++) await turn();
      expect(requests.map(({ tokens }) => tokens.length)).toEqual(counts);
      await expect(start(loop, [1], 1).result).rejects.toMatchObject({ code: "internal_error" });
    },
  );
});

describe("a prompt that begins like an earlier one", () => {
  it("is computed from where they part, and goes on as if it had been computed whole", async () => {
    const first = tokensOf(200);
    const cases = [
      { tokens: first, cached: 192 },
      { tokens: [...first, ...tokensOf(100, 7)], cached: 192 },
      { tokens: [...first.slice(0, 100), ...tokensOf(60, 9)], cached: 96 },
      // Two tokens are computed at least.
      { tokens: first.slice(0, 97), cached: 64 },
      { tokens: first.slice(0, 98), cached: 96 },
      { tokens: [...first.slice(0, 31), 5, ...first.slice(32)], cached: 0 },
      { tokens: first.slice(1), cached: 0 },
    ];
    for (const dtype of ["fp32", "int8"] as const) {
      const warm = await openLoop({ dtype });
      await start(warm, first, 3).result;
      for (const { tokens, cached } of cases) {
        const cold = start(await openLoop({ dtype }), tokens, 12);
        expect((await cold.result).cachedTokens).toBe(0);
        const second = start(warm, tokens, 12);
        expect((await second.result).cachedTokens).toBe(cached);
        expect(second.tokens).toEqual(cold.tokens);
        expect(second.heard).toEqual([`prompt ${cached}`]);
        // What it left behind is not for the next case.
        if (tokens !== first) await start(warm, first, 1).result;
      }
    }
  });

  it("finds what a cancelled one had computed", async () => {
    const loop = await openLoop();
    const first = start(loop, tokensOf(400), 50);
    await first.reached(1);
    await expectStopped(first);
    expect((await start(loop, tokensOf(400), 2).result).cachedTokens).toBe(384);
  });

  it("finds no more than there is memory for", async () => {
    const loop = await openLoop({ prefixBytes: 64 });
    await start(loop, tokensOf(400), 2).result;
    expect((await start(loop, tokensOf(400), 2).result).cachedTokens).toBe(64);
    const none = await openLoop({ prefixBytes: 31 });
    await start(none, tokensOf(400), 2).result;
    expect((await start(none, tokensOf(400), 2).result).cachedTokens).toBe(0);
  });

  it("waits for one that comes at the same time, and is computed once", async () => {
    const loop = await openLoop();
    const requests = [1, 2, 3].map((rest) => start(loop, [...tokensOf(100), ...tokensOf(rest, 50)], 6));
    const ends = await Promise.all(requests.map(({ result }) => result));
    expect(ends.map(({ cachedTokens }) => cachedTokens).sort((a, b) => a - b)).toEqual([0, 96, 96]);
  });
});

describe("many at once", () => {
  it("get tokens while long prompts are computed", async () => {
    const loop = await openLoop({ prefixBytes: 0 });
    const running = [prompt, longer].map(({ tokens }) => start(loop, tokens, 400));
    await Promise.all(running.map((one) => one.reached(2)));
    const before = running.map(({ tokens }) => tokens.length);
    const documents = [1, 2, 3].map((from) => start(loop, tokensOf(500, from), 1));
    await Promise.all(documents.map(({ result }) => result));
    // Six runs of prompts: the two pumps do not take turns, so how many steps went by is the machine's business.
    for (const [i, { tokens }] of running.entries()) expect(tokens.length).toBeGreaterThan(before[i] + 2);
    for (const one of running) await expectStopped(one);
  });

  it("wait for room, go in order of priority, and all of them end", async () => {
    const loop = await openLoop({ sequences: 1 });
    const order: number[] = [];
    const priorities = [0, 0, 5, -1, 5, 0];
    const requests = priorities.map((priority, i) =>
      start(loop, tokensOf(30, i), 4, { priority, onPrompt: () => order.push(i) }),
    );
    const ends = await Promise.all(requests.map(({ result }) => result));
    expect(order).toEqual([2, 4, 0, 1, 5, 3]);
    expect(ends.map(({ finishReason }) => finishReason)).toEqual(new Array(6).fill("length"));
    for (const { queueMs, promptMs, generateMs } of ends)
      expect(Math.min(queueMs, promptMs, generateMs)).toBeGreaterThanOrEqual(0);
  });

  it("end at a stop token, at the caller's wish, with their format or at the length, each by itself", async () => {
    const loop = await openLoop();
    const { greedy } = prompt;
    // The first place of a token that had not come before.
    const at = greedy.findIndex((token, i) => i > 3 && !greedy.slice(0, i).includes(token));
    let accepted = 0;
    const matcher = {
      mask: () => new Int32Array(12).fill(-1),
      accept: () => accepted++,
      get complete() {
        return accepted === 3;
      },
    };
    let wanted = 7;
    const requests = [
      start(loop, prompt.tokens, 40, { stopTokens: new Set([greedy[at]]) }),
      start(loop, prompt.tokens, 40, { onToken: () => --wanted > 0 }),
      start(loop, prompt.tokens, 40, { matcher }),
      start(loop, prompt.tokens, 1),
      start(loop, prompt.tokens, 9),
    ];
    const ends = await Promise.all(requests.map(({ result }) => result));
    expect(ends.map(({ finishReason }) => finishReason)).toEqual([
      "stop",
      "stop",
      "stop",
      "length",
      "length",
    ]);
    expect(requests.map(({ tokens }) => tokens)).toEqual(
      [at + 1, 7, 3, 1, 9].map((count) => greedy.slice(0, count)),
    );
  });
});

describe("guessing ahead", () => {
  it("gives the tokens of plain decoding, alone and when others come and go", async () => {
    const loop = await openLoop();
    for (const one of prompts) {
      const [plain, guessed] = [false, true].map((speculation) =>
        start(loop, one.tokens, 48, { speculation }),
      );
      await Promise.all([plain.result, guessed.result]);
      expect(guessed.tokens).toEqual(one.greedy);
      expect((await plain.result).draftedTokens).toBe(0);
    }
  });

  it("sees at every place the logits of plain decoding, whether guesses hold or fail", async () => {
    const loop = await openLoop({ sequences: 1 });
    // An answer that repeats itself, and changes its mind now and then.
    const answer = Array.from({ length: 160 }, (_, i) => (i % 50 === 49 ? 300 : 20 + (i % 7)));
    const seen = async (speculation: boolean) => {
      const logits: Float32Array[] = [];
      const sample = (row: Float32Array) => ({ token: answer[logits.push(row.slice()) - 1] });
      const one = start(loop, prompt.tokens, answer.length, { speculation, sampler: { sample } });
      return { logits, end: await one.result, tokens: one.tokens };
    };
    const [plain, guessed] = [await seen(false), await seen(true)];
    expect(guessed.tokens).toEqual(answer);
    expect(guessed.end.acceptedTokens).toBeGreaterThan(80);
    expect(guessed.end.draftedTokens).toBeGreaterThan(guessed.end.acceptedTokens);
    expect(guessed.logits).toHaveLength(answer.length);
    for (const [i, row] of plain.logits.entries())
      expect(largestDifference(guessed.logits[i], row)).toBeLessThan(1e-4);
  });
});

interface Limits extends Partial<GenerationLimits> {
  dtype?: "fp32" | "int8";
}

/** A loop that goes when the test ends. `cacheBytes` and `prefixBytes` are in positions. */
async function openLoop({ dtype = "fp32", ...limits }: Limits = {}): Promise<GenerationLoop> {
  const { decoder } = await tinyDecoder("llama-gqa", { root: graphs(), dtype });
  const loop = new GenerationLoop(decoder, limitsOf(decoder, limits));
  onTestFinished(() => loop[Symbol.asyncDispose]());
  return loop;
}

function limitsOf({ info }: Decoder, limits: Partial<GenerationLimits>): GenerationLimits {
  const { sequences = 8, cacheBytes = 64 * 512, prefixBytes = 4096 } = limits;
  const bytes = KvCache.positionBytes(info);
  return { sequences, cacheBytes: cacheBytes * bytes, prefixBytes: prefixBytes * bytes };
}

/** A greedy request, what came of it so far, and how to stop it. */
function start(
  loop: GenerationLoop,
  prompt: readonly number[],
  maxTokens: number,
  change: Partial<GenerationRequest> = {},
) {
  const controller = new AbortController();
  const tokens: number[] = [];
  const heard: string[] = [];
  const marks: { count: number; resolve: () => void }[] = [];
  const result = loop.generate({
    prompt,
    maxTokens,
    sampler: new Sampler({}),
    stopTokens: new Set(),
    signal: controller.signal,
    onPrompt: ({ cachedTokens }) => heard.push(`prompt ${cachedTokens}`),
    ...change,
    onToken: (sampled) => {
      tokens.push(sampled.token);
      for (const { count, resolve } of marks) if (tokens.length >= count) resolve();
      return change.onToken?.(sampled) ?? true;
    },
  });
  // Who waits for it hears of a failure.
  result.catch(() => {});
  return {
    result,
    tokens,
    heard,
    abort: () => controller.abort(),
    /** Resolves when there are that many tokens. */
    reached: (count: number) => new Promise<void>((resolve) => marks.push({ count, resolve })),
  };
}

/** Aborts it: it fails before the next turn, and nothing more comes. */
async function expectStopped({ result, tokens, abort }: ReturnType<typeof start>): Promise<void> {
  let error: unknown;
  result.catch((reason) => {
    error = reason;
  });
  const { length } = tokens;
  abort();
  for (let i = 0; i < 8; i++) await undefined;
  expect(error).toBeInstanceOf(HfmsError);
  expect(error).toMatchObject({ code: "aborted" });
  await turn();
  await turn();
  expect(tokens).toHaveLength(length);
}

import { describe, expect, it } from "vitest";
import { embeddingMeasures, embeddingTexts } from "../../../src/core/bench/embedding.js";
import { generationMeasures, type Stream } from "../../../src/core/bench/generation.js";
import { residentOf, watchMemory } from "../../../src/core/bench/memory.js";
import { together } from "../../../src/core/bench/together.js";

function stream(...times: number[]): Stream {
  return { pieces: times.map((at) => ({ at, tokens: 1 })), promptTokens: 20, newTokens: times.length };
}

describe("the numbers of a run", () => {
  it("of one stream are those of its pieces", () => {
    expect(generationMeasures([stream(100, 110, 120, 150)])).toEqual({
      ttft_ms: 100,
      ttft_max_ms: 100,
      itl_p50_ms: 10,
      itl_p90_ms: expect.closeTo(26, 9),
      itl_p99_ms: expect.closeTo(29.6, 9),
      itl_max_ms: 30,
      prompt_per_second: 200,
      generate_per_second: 60,
      generate_per_second_stream: 60,
      total_per_second: 160,
    });
  });

  it("of several streams are of all of them together, from the first token of all to the last", () => {
    const found = generationMeasures([stream(100, 200, 300), stream(150, 250, 350)]);
    expect(found).toMatchObject({
      ttft_ms: 125,
      ttft_max_ms: 150,
      itl_max_ms: 100,
      generate_per_second_stream: 10,
      // Five tokens in the 250 ms behind the first one.
      generate_per_second: 20,
    });
    expect(found.prompt_per_second).toBeCloseTo(40 / 0.15, 9);
    expect(found.total_per_second).toBeCloseTo(46 / 0.35, 9);
  });

  it("count the tokens of a piece, and take none of them for another gap", () => {
    const pieces = [
      { at: 10, tokens: 2 },
      { at: 30, tokens: 3 },
    ];
    const found = generationMeasures([{ pieces, promptTokens: 4, newTokens: 5 }]);
    expect(found).toMatchObject({ itl_p50_ms: 20, itl_max_ms: 20, generate_per_second: 150 });
  });

  it("have no time between tokens where there is one piece only", () => {
    const found = generationMeasures([stream(50)]);
    expect(found).toMatchObject({ ttft_ms: 50, total_per_second: 420 });
    expect(found.itl_p50_ms).toBeUndefined();
    expect(found.generate_per_second).toBeUndefined();
    expect(found.generate_per_second_stream).toBeUndefined();
  });

  it("of callers that embed are over the time until the last one has its vectors", () => {
    const found = embeddingMeasures([
      { ms: 100, texts: 8, tokens: 200 },
      { ms: 200, texts: 8, tokens: 100 },
    ]);
    expect(found).toMatchObject({
      texts_per_second: 80,
      tokens_per_second: 1500,
      latency_p50_ms: 150,
      latency_max_ms: 200,
    });
  });
});

describe("the texts to embed", () => {
  it("are the same for the same seed, short and long, and each caller's own", () => {
    const asked = { callers: 3, texts: 40, seed: 5 };
    const callers = embeddingTexts(asked);
    expect(embeddingTexts(asked)).toEqual(callers);
    expect(embeddingTexts({ ...asked, seed: 6 })).not.toEqual(callers);
    expect(callers.map((texts) => texts.length)).toEqual([40, 40, 40]);
    const lengths = callers.flat().map((text) => text.split(" ").length);
    expect(Math.min(...lengths)).toBeGreaterThanOrEqual(4);
    expect(Math.min(...lengths)).toBeLessThan(8);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(180);
    expect(Math.max(...lengths)).toBeGreaterThan(120);
    expect(new Set(callers.flat()).size).toBeGreaterThan(100);
  });
});

describe("work that is done together", () => {
  it("is stopped when a part of it fails, and fails with that part's error when all has ended", async () => {
    let ended = false;
    const waiting = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener("abort", () => {
          ended = true;
          reject(new Error("stopped"));
        });
      });
    const failing = () => Promise.reject(new Error("broken"));
    await expect(together([waiting, failing])).rejects.toThrow("broken");
    expect(ended).toBe(true);
  });

  it("comes back in the order in which it was given", async () => {
    const later = (value: number) => () => new Promise<number>((resolve) => setImmediate(resolve, value));
    expect(await together([later(1), async () => 2, later(3)])).toEqual([1, 2, 3]);
  });
});

describe("the memory", () => {
  it("is read from /proc in kB, and none of a process that has ended", () => {
    expect(residentOf("Name:\tnode\nVmPeak:\t  900 kB\nVmRSS:\t   12345 kB\nRssAnon:\t 1 kB\n")).toBe(
      12345 * 1024,
    );
    expect(residentOf("")).toBe(0);
  });

  it("has a peak that begins anew each time it is taken", async () => {
    const watch = watchMemory();
    const before = await watch.takePeak();
    const block = Buffer.alloc(64 * 2 ** 20, 1);
    expect((await watch.takePeak()) - before).toBeGreaterThan(block.length / 2);
    expect(before).toBeGreaterThan(20e6);
    watch.stop();
  });
});

import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/core/config.js";
import type { Engine } from "../../../src/core/engine.js";
import { embed, generate } from "../../engine-sandbox.js";
import { collect } from "../../tiny-model.js";
import { bert, expected, greedy, hostedEngines, otherGreedy, patience } from "./hosted-engine.js";

const MEBI = 2 ** 20;
const hosted = hostedEngines();
const third = { model: bert.directory };

describe("the memory of models", () => {
  it("is made free by the model that was used longest ago", async () => {
    // A tiny model counts as about 300 MiB before it is measured.
    const engine = await hosted({ memoryBudget: 700 * MEBI });
    for (const choice of [greedy, otherGreedy, greedy, third]) await collect(engine.load(choice));
    expect(await names(engine)).toEqual([greedy.model, third.model]);
  });

  it("is not taken from a pinned model, and what does not fit is refused with numbers", async () => {
    const engine = await hosted({ memoryBudget: 400 * MEBI });
    await collect(engine.load({ ...greedy, keepAlive: -1 }));
    await expect(collect(engine.load(third))).rejects.toMatchObject({
      code: "out_of_memory",
      message: expect.stringMatching(
        /bert-mean needs about \d+ MiB .* 400 MiB .* pinned are .*llama-gqa \(\d+ MiB\)/,
      ),
    });
    expect((await generate(engine, { ...greedy, maxTokens: 4 })).tokens).toEqual(expected(4));
    await engine.unload(greedy.model);
    await collect(engine.load(third));

    const small = await hosted({ memoryBudget: 100 * MEBI });
    await expect(generate(small, greedy)).rejects.toMatchObject({
      code: "out_of_memory",
      exitCode: 11,
      message: expect.stringMatching(/llama-gqa needs about \d+ MiB of memory; models may take 100 MiB here/),
    });
    expect(await small.ps()).toEqual([]);
  });

  it("is waited for while another model answers", async () => {
    const engine = await hosted({ memoryBudget: 400 * MEBI });
    let release = (): void => {};
    const pause = new Promise<void>((resolve) => {
      release = resolve;
    });
    const first = (async () => {
      for await (const event of engine.generate({ ...greedy, maxTokens: 20 }))
        if (event.type === "text") await pause;
    })();
    await expect.poll(async () => (await engine.ps())[0]?.state, patience).toBe("ready");
    const second = embed(engine, { ...third, input: ["cat"] });
    await expect.poll(async () => (await engine.ps()).length, patience).toBe(2);
    expect((await engine.ps()).map(({ state }) => state)).toEqual(["ready", "loading"]);
    release();
    await first;
    expect((await second).vectors).toHaveLength(1);
    expect(await names(engine)).toEqual([third.model]);
  });
});

describe("a model that nobody uses", () => {
  it("goes when its time is over, and its process with it", async () => {
    const engine = await hosted({ keepAlive: 300 });
    await generate(engine, { ...greedy, maxTokens: 2 });
    const [{ pid, keepAliveUntil, lastUsed }] = await engine.ps();
    expect((keepAliveUntil as number) - lastUsed).toBeCloseTo(300);
    await expect.poll(() => engine.ps(), patience).toEqual([]);
    expect(() => process.kill(pid as number, 0)).toThrow("ESRCH");
  });

  it("goes at once, or stays, as the request says", async () => {
    const engine = await hosted();
    await generate(engine, { ...greedy, maxTokens: 2, keepAlive: 0 });
    await generate(engine, { ...otherGreedy, maxTokens: 2, keepAlive: -1 });
    await expect.poll(() => names(engine), patience).toEqual([otherGreedy.model]);
    const [model] = await engine.ps();
    expect(model).toMatchObject({ pinned: true });
    expect(model).not.toHaveProperty("keepAliveUntil");
    await expect(generate(engine, { ...greedy, keepAlive: Number.NaN })).rejects.toMatchObject({
      code: "invalid_request",
      param: "keepAlive",
    });
  });

  it("is unloaded on demand, but not before its requests have ended", async () => {
    const engine = await hosted();
    let unloading: Promise<number> | undefined;
    for await (const event of engine.generate({ ...greedy, maxTokens: 12 }))
      if (event.type === "text") unloading ??= engine.unload(greedy.model);
    expect(await unloading).toBe(1);
    expect(await engine.ps()).toEqual([]);
    expect(await engine.unload(greedy.model)).toBe(0);
  });

  it("leaves nothing behind when the engine is closed", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const [{ pid }] = await engine.ps();
    const running = generate(engine, { ...greedy, maxTokens: 200 });
    const loading = collect(engine.load(third));
    const outcomes = Promise.allSettled([running, loading]);
    await engine[Symbol.asyncDispose]();
    for (const outcome of await outcomes)
      if (outcome.status === "rejected")
        expect(outcome.reason).toMatchObject({ name: "HfmsError", code: "aborted" });
    expect(() => process.kill(pid as number, 0)).toThrow("ESRCH");
    expect(await engine.ps()).toEqual([]);
    await expect(generate(engine, greedy)).rejects.toMatchObject({ code: "aborted" });
  });

  it("gives its memory back: cycles of loading and unloading leave this process as it was", async () => {
    const engine = await hosted();
    const cycle = async () => {
      await generate(engine, { ...greedy, maxTokens: 2 });
      await engine.unload(greedy.model);
    };
    await cycle();
    const before = process.memoryUsage.rss();
    for (let i = 0; i < 4; i++) await cycle();
    expect((process.memoryUsage.rss() - before) / MEBI).toBeLessThan(40);
  });
});

describe("the environment", () => {
  it("says how long models stay and what they may take", () => {
    const read = (env: Record<string, string>) => readConfig({ HOME: "/home/someone", ...env });
    expect(read({})).toMatchObject({ keepAlive: undefined, memoryBudget: undefined, spin: undefined });
    const times = { "90s": 90_000, "5m": 300_000, "1h": 3_600_000, "30": 30_000, "-1": -1000, "0": 0 };
    for (const [text, ms] of Object.entries(times))
      expect(read({ HFMS_KEEP_ALIVE: text }).keepAlive).toBe(ms);
    const sizes = { "80%": 0.8, "0.5": 0.5, "12GiB": 12 * 2 ** 30, "500M": 500 * MEBI, "1000000": 1e6 };
    for (const [text, bytes] of Object.entries(sizes))
      expect(read({ HFMS_MEMORY: text }).memoryBudget).toBe(bytes);
  });
});

async function names(engine: Engine): Promise<string[]> {
  return (await engine.ps()).map(({ model }) => model);
}

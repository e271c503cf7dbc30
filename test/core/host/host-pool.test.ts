import { describe, expect, it, vi } from "vitest";
import type { Engine } from "../../../src/core/engine.js";
import type { GenerateEvent, RunningModel } from "../../../src/core/requests.js";
import { classify, embed, engineHome, generate, openEngine, rank } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";
import { collect } from "../../tiny-model.js";
import {
  bert,
  expected,
  greedy,
  hostedEngines,
  otherGreedy,
  otherTokens,
  patience,
} from "./hosted-engine.js";

const hosted = hostedEngines();
const home = engineHome();

describe("a model in a process of its own", () => {
  it("gives the tokens and vectors that it gives in this process", async () => {
    const engine = await hosted();
    const done = await generate(engine, { ...greedy, maxTokens: 12 });
    expect(done.tokens).toEqual(expected(12));
    const { vectors } = await embed(engine, { model: bert.directory, input: ["cat", "a mat"] });
    expect(vectors.map(({ index }) => index)).toEqual([0, 1]);
    expect(vectors[0].embedding.buffer.byteLength).toBe(vectors[0].embedding.byteLength);
    const models = await engine.ps();
    expect(models).toHaveLength(2);
    expect(models[0]).toMatchObject({ state: "ready", inUse: 0, pinned: false, dtype: "fp32" });
    expect(models[0].pid).not.toBe(process.pid);
    expect(models[0].memory).toBeGreaterThan(20e6);
  });

  it("classifies and ranks as it does in this process, and says what it can't", async () => {
    const [engine, here] = [await hosted(), await openEngine(home())];
    const labels = { model: golden("bert-classes").directory, input: ["cat", { text: "a", pair: "mat" }] };
    const scores = { model: golden("bert-ranker").directory, query: "cat", documents: ["a mat", "a dog"] };
    expect((await classify(engine, labels)).results).toEqual((await classify(here, labels)).results);
    expect((await rank(engine, scores)).results).toEqual((await rank(here, scores)).results);
    // The host is there already, for another task.
    await expect(rank(engine, { ...scores, model: labels.model })).rejects.toMatchObject({
      code: "unsupported_task",
      message: expect.stringContaining("text-classification"),
    });
    expect(await engine.ps()).toHaveLength(2);
  });

  it("is loaded once for all who ask at the same time, under whatever name", async () => {
    const engine = await hosted();
    const names = { model: greedy.model, dtype: "fp32" } as const;
    const many = Array.from({ length: 30 }, (_, i) =>
      collect(engine.load(i % 2 ? names : { ...names, device: "cpu", source: "auto" })),
    );
    const readies = (await Promise.all(many)).map((events) => events.at(-1));
    expect(readies.every((event) => event?.type === "ready")).toBe(true);
    expect(await engine.ps()).toHaveLength(1);
    // `auto` is int8 for this one.
    await collect(engine.load({ model: greedy.model, dtype: "int8" }));
    const done = await generate(engine, { ...greedy, dtype: undefined, maxTokens: 2 });
    expect(done.events.find((event) => event.type === "ready")).toMatchObject({ dtype: "int8" });
    expect((await engine.ps()).map(({ dtype }) => dtype)).toEqual(["fp32", "int8"]);
  });

  it("says what is wrong as it would in this process", async () => {
    const engine = await hosted();
    await expect(generate(engine, { ...greedy, maxTokens: 100_000 })).rejects.toMatchObject({
      name: "HfmsError",
      code: "context_length_exceeded",
      hint: expect.stringContaining("at most"),
      param: "maxTokens",
      exitCode: 10,
      status: 400,
    });
    await expect(generate(engine, { ...greedy, model: "./no/such" })).rejects.toMatchObject({
      code: "model_not_found",
    });
    await expect(embed(engine, { model: greedy.model, input: ["x"] })).rejects.toMatchObject({
      code: "unsupported_task",
    });
    expect((await engine.ps()).every(({ state }) => state === "ready")).toBe(true);
  });

  it("stops a request at its signal and goes on with the others", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const controller = new AbortController();
    const stopped = (async () => {
      for await (const event of engine.generate({ ...greedy, maxTokens: 200 }, controller.signal))
        if (event.type === "text") controller.abort();
    })();
    const other = generate(engine, { ...greedy, maxTokens: 12 });
    await expect(stopped).rejects.toMatchObject({ code: "aborted" });
    expect((await other).tokens).toEqual(expected(12));
    // Leaving early counts as well.
    for await (const event of engine.generate({ ...greedy, maxTokens: 200 }))
      if (event.type === "text") break;
    expect((await engine.ps())[0].inUse).toBe(0);
  });

  it("reads a stream of texts as it comes, and tells its source when that is not needed any more", async () => {
    const engine = await hosted();
    let given = 0;
    let closed = false;
    async function* texts() {
      try {
        for (; given < 3000; given++) yield `text ${given}`;
      } finally {
        closed = true;
      }
    }
    const { vectors, done } = await embed(engine, { model: bert.directory, input: texts() });
    expect(done.count).toBe(3000);
    expect(vectors.map(({ index }) => index)).toEqual(vectors.map((_, i) => i));
    const [alone] = (await embed(engine, { model: bert.directory, input: ["text 2999"] })).vectors;
    expect(vectors[2999].embedding).toEqual(alone.embedding);
    [given, closed] = [0, false];
    for await (const event of engine.embed({ model: bert.directory, input: texts() }))
      if (event.type === "embedding") break;
    await expect.poll(() => closed, patience).toBe(true);
    expect(given).toBeLessThan(3000);

    async function* failing() {
      yield "one";
      throw new Error("the file went away");
    }
    await expect(embed(engine, { model: bert.directory, input: failing() })).rejects.toThrow(
      "the file went away",
    );
  });
});

describe("a host that is killed", () => {
  it("while it loads is started again, and the request does not notice", async () => {
    const engine = await hosted();
    let kills = 0;
    const events: GenerateEvent[] = [];
    for await (const event of engine.generate({ ...greedy, maxTokens: 12 })) {
      events.push(event);
      if (event.type === "progress" && kills++ === 0) kill(await only(engine));
    }
    expect(events.at(-1)).toMatchObject({ type: "done", tokens: expected(12) });
    expect(events.filter(({ type }) => type === "ready")).toHaveLength(1);
    expect(events.find(({ type }) => type === "notice")).toMatchObject({
      message: expect.stringMatching(/process \d+ was killed by SIGKILL/),
    });
  });

  it("before it has sent anything is started again, and so is every request to it", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const requests = Array.from({ length: 4 }, () => generate(engine, { ...greedy, maxTokens: 200 }));
    await vi.waitUntil(async () => (await only(engine)).inUse > 0, patience);
    kill(await only(engine));
    const outcomes = await Promise.allSettled(requests);
    for (const outcome of outcomes) {
      // The tiny model may have said its first word.
      if (outcome.status === "fulfilled") expect(outcome.value.tokens.slice(0, 12)).toEqual(expected(12));
      else expect(outcome.reason).toMatchObject({ code: "runtime_error" });
    }
    expect((await generate(engine, { ...greedy, maxTokens: 12 })).tokens).toEqual(expected(12));
  });

  it("in the middle of an answer is reported by name, and no other model's request is lost", async () => {
    const engine = await hosted();
    await Promise.all([collect(engine.load(greedy)), collect(engine.load(otherGreedy))]);
    const victim = (await engine.ps()).find(({ model }) => model === greedy.model) as RunningModel;
    const broken = (async () => {
      for await (const event of engine.generate({ ...greedy, maxTokens: 200 }))
        if (event.type === "text") kill(victim);
    })();
    const other = generate(engine, { ...otherGreedy, maxTokens: 12 });
    await expect(broken).rejects.toMatchObject({
      name: "HfmsError",
      code: "runtime_error",
      message: expect.stringMatching(
        /llama-gqa failed in the middle of an answer: process \d+ was killed by SIGKILL/,
      ),
    });
    expect((await other).tokens).toEqual(otherTokens(12));
    expect((await generate(engine, { ...greedy, maxTokens: 12 })).tokens).toEqual(expected(12));
  });

  it("at rest comes back by itself", async () => {
    const engine = await hosted();
    await collect(engine.load(greedy));
    const before = await only(engine);
    kill(before);
    await vi.waitUntil(async () => {
      const { state, pid } = await only(engine);
      return state === "ready" && pid !== before.pid;
    }, patience);
  });

  it("again and again is given up, with its name and its last words", async () => {
    vi.stubEnv("NODE_OPTIONS", "--max-old-space-size=2");
    const engine = await hosted();
    await expect(generate(engine, greedy)).rejects.toMatchObject({
      code: "runtime_error",
      message: expect.stringMatching(/llama-gqa failed 3 times in a row: process \d+ .*out of memory/),
      hint: expect.stringMatching(/tried again in \d+ s/),
    });
    vi.unstubAllEnvs();
    expect(await only(engine)).toMatchObject({ state: "failed" });
    // The breaker is open: this one does not wait for three crashes.
    await expect(generate(engine, greedy)).rejects.toMatchObject({ code: "runtime_error" });
  });
});

async function only(engine: Engine): Promise<RunningModel> {
  const [model, ...more] = await engine.ps();
  expect(more).toEqual([]);
  return model;
}

function kill({ pid }: RunningModel): void {
  if (pid !== undefined) process.kill(pid, "SIGKILL");
}

import path from "node:path";
import { describe, expect, it } from "vitest";
import { bench } from "../../../src/core/bench/bench.js";
import type { BenchEvent, BenchRequest } from "../../../src/core/bench/request.js";
import { Engine } from "../../../src/core/engine.js";
import { engineHome } from "../../engine-sandbox.js";
import { golden } from "../../golden/reference.js";

const config = engineHome();
const llama = golden("llama-gqa").directory;
const bert = golden("bert-mean").directory;
const quick = {
  promptTokens: [12],
  maxTokens: [6],
  dtypes: ["fp32"],
  warmup: 1,
  repeats: 2,
} satisfies Partial<BenchRequest>;

async function measured(request: BenchRequest, signal?: AbortSignal): Promise<BenchEvent[]> {
  const events: BenchEvent[] = [];
  for await (const event of bench(request, () => Engine.open(config()), signal)) events.push(event);
  return events;
}

const resultOf = (events: BenchEvent[]) => (events.at(-1) as Extract<BenchEvent, { type: "done" }>).result;

describe("a benchmark", () => {
  it("measures every combination, with one sample a repeat", async () => {
    const events = await measured({
      ...quick,
      models: [llama],
      promptTokens: [12, 20],
      batch: [1, 3],
      dtypes: ["fp32", "int8"],
    });
    const result = resultOf(events);
    expect(result.complete).toBe(true);
    expect(result.cases.map((one) => [one.dtype, one.prompt_tokens, one.max_tokens, one.batch])).toEqual(
      ["fp32", "int8"].flatMap((dtype) =>
        [12, 20].flatMap((tokens) => [1, 3].map((n) => [dtype, tokens, 6, n])),
      ),
    );
    for (const { measures, load_ms } of result.cases) {
      expect(load_ms).toBeGreaterThan(0);
      for (const name of ["ttft_ms", "prompt_per_second", "total_per_second", "peak_memory_bytes"] as const) {
        expect(measures[name]!.samples).toHaveLength(2);
        expect(measures[name]!.min).toBeGreaterThan(0);
      }
      expect(measures.ttft_max_ms!.median).toBeGreaterThanOrEqual(measures.ttft_ms!.median);
    }
    const runs = events.filter((event) => event.type === "run");
    expect(runs).toHaveLength(8 * 3);
    expect(runs.map(({ done }) => done)).toEqual(runs.map((_, i) => i));
    expect(new Set(runs.map(({ total }) => total))).toEqual(new Set([24]));
  });

  it("measures texts per second of a model that embeds, and says which settings mean nothing to it", async () => {
    const events = await measured({ ...quick, models: [bert], batch: [2], texts: 5 });
    expect(events.filter((event) => event.type === "notice").map(({ message }) => message)).toEqual([
      "lengths of prompts and answers mean nothing to models that turn text into vectors",
    ]);
    const [one] = resultOf(events).cases;
    expect(one).toMatchObject({ task: "feature-extraction", texts: 5, batch: 2, dtype: "fp32" });
    expect(one.prompt_tokens).toBeUndefined();
    expect(one.measures.texts_per_second!.samples).toHaveLength(2);
    expect(one.measures.tokens_per_second!.min).toBeGreaterThan(one.measures.texts_per_second!.max);
  });

  it("measures what two names mean only once, and says so", async () => {
    const events = await measured({
      ...quick,
      models: [bert],
      texts: 2,
      dtypes: ["fp32", "auto"],
      promptTokens: undefined,
      maxTokens: undefined,
    });
    const { cases } = resultOf(events);
    const same = events.filter((event) => event.type === "notice");
    expect(cases.length + same.length).toBe(2);
    for (const { message } of same) expect(message).toMatch(/which is measured already$/);
  });

  it("measures a file that was never opened before", async () => {
    const gguf = golden("llama-gguf-f32");
    const model = path.join(gguf.directory, gguf.reference.file!);
    const { cases } = resultOf(await measured({ ...quick, models: [model] }));
    expect(cases).toMatchObject([{ task: "text-generation", model_type: "llama", dtype: "fp32" }]);
  });

  it("stops at an abort, and the last event has what was measured", async () => {
    const abort = new AbortController();
    const events: BenchEvent[] = [];
    const work = (async () => {
      for await (const event of bench(
        { ...quick, models: [llama], batch: [1, 2, 3] },
        () => Engine.open(config()),
        abort.signal,
      )) {
        events.push(event);
        if (event.type === "run" && event.case.batch === 2) abort.abort();
      }
    })();
    await expect(work).rejects.toMatchObject({ code: "aborted" });
    const last = events.findLast((event) => event.type === "case")!;
    expect(last.result).toMatchObject({ complete: false, cases: [{ batch: 1 }] });
  });
});

describe("what can't be measured is refused before anything is:", () => {
  it.each<[string, Partial<BenchRequest>, object]>([
    [
      "a prompt longer than the context",
      { promptTokens: [12, 510] },
      { code: "context_length_exceeded", message: expect.stringMatching(/510 tokens and 6 new ones .*512/) },
    ],
    [
      "a batch of none",
      { batch: [4, 0] },
      { code: "invalid_request", message: "batch is 0; it must be a whole number, 1 or more" },
    ],
    ["no repeats", { repeats: 0 }, { code: "invalid_request", param: "repeats" }],
    ["half a token", { maxTokens: [1.5] }, { code: "invalid_request", param: "maxTokens" }],
    ["an empty list", { dtypes: [] }, { code: "invalid_request", param: "dtypes" }],
    ["no model", { models: [] }, { code: "invalid_request", param: "models" }],
    ["a second model that nobody knows", { models: [llama, "no-such-model"] }, { code: "model_not_found" }],
  ])("%s", async (_, changes, error) => {
    const request = { ...quick, models: [llama], ...changes };
    const events: BenchEvent[] = [];
    const work = (async () => {
      for await (const event of bench(request, () => Engine.open(config()))) events.push(event);
    })();
    await expect(work).rejects.toMatchObject(error);
    expect(events.filter(({ type }) => type === "run")).toEqual([]);
  });

  it("a device that is not there, behind one that is", async () => {
    await expect(measured({ ...quick, models: [llama], devices: ["cpu", "qnn"] })).rejects.toMatchObject({
      code: "device_unavailable",
    });
  });
});

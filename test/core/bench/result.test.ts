import { describe, expect, it } from "vitest";
import { readBenchResult } from "../../../src/core/bench/bench.js";
import { compareBenchResults } from "../../../src/core/bench/compare.js";
import type { BenchResult } from "../../../src/core/bench/result.js";
import { summarize } from "../../../src/core/bench/statistics.js";
import { benchCase, benchResult } from "../../bench-result.js";

const parse = (result: unknown) => readBenchResult(JSON.stringify(result), '"old.json"');

describe("a stored result", () => {
  it("comes back as it was", async () => {
    const result = benchResult([benchCase({ ttft_ms: [3, 1, 2] })]);
    expect(await parse(result)).toEqual(result);
  });

  it.each<[string, unknown, RegExp]>([
    ["of another program", { name: "decode", series: [] }, /"old.json" is no result of `hfms bench`/],
    [
      "of another version of the format",
      { ...benchResult([]), schema_version: 2 },
      /has version 2 of the format.* version 1/,
    ],
    ["that is an array", [], /is no result/],
    ["that is null", null, /is no result/],
    [
      "with a case that is damaged",
      { ...benchResult([]), cases: [{ task: "x" }] },
      /is damaged: cases\.0\.task/,
    ],
    [
      "with a measure that nobody knows",
      benchResult([benchCase({ speed: [1] } as never)]),
      /is damaged: cases\.0\.measures/,
    ],
  ])("%s is refused", async (_, result, message) => {
    await expect(parse(result)).rejects.toMatchObject({
      code: "invalid_request",
      message: expect.stringMatching(message),
    });
  });

  it("that is no JSON is refused", async () => {
    await expect(readBenchResult("# notes", '"a.md"')).rejects.toMatchObject({
      message: '"a.md" is no JSON',
    });
  });
});

describe("a comparison", () => {
  const verdicts = (before: BenchResult, after: BenchResult) =>
    Object.fromEntries(
      compareBenchResults(before, after).cases.flatMap(({ measures }) =>
        measures.map(({ measure, verdict }) => [measure, verdict]),
      ),
    );

  it("tells better from worse by the measure's own direction, and neither where the ranges overlap", () => {
    const before = benchResult([
      benchCase({
        ttft_ms: [10, 11, 12],
        itl_p50_ms: [5, 6, 7],
        generate_per_second: [100, 101, 102],
        total_per_second: [50, 51, 52],
      }),
    ]);
    const after = benchResult([
      benchCase({
        ttft_ms: [8, 9, 9.5],
        itl_p50_ms: [7, 8, 9],
        generate_per_second: [90, 91, 92],
        total_per_second: [60, 61, 62],
      }),
    ]);
    expect(verdicts(before, after)).toEqual({
      ttft_ms: "better",
      itl_p50_ms: "same",
      generate_per_second: "worse",
      total_per_second: "better",
    });
    expect(compareBenchResults(before, after).cases[0].measures[0]).toEqual({
      measure: "ttft_ms",
      before: summarize([10, 11, 12]),
      after: summarize([8, 9, 9.5]),
      ratio: 9 / 11,
      verdict: "better",
    });
  });

  it("of a result with itself finds no difference", () => {
    const result = benchResult([benchCase({ ttft_ms: [1, 2, 3], peak_memory_bytes: [5, 5, 5] })]);
    const { cases, warnings, only_before, only_after } = compareBenchResults(result, result);
    expect(cases[0].measures.map(({ ratio, verdict }) => [ratio, verdict])).toEqual([
      [1, "same"],
      [1, "same"],
    ]);
    expect({ warnings, only_before, only_after }).toEqual({ warnings: [], only_before: [], only_after: [] });
  });

  it("says nothing of single samples, which have no spread", () => {
    const [before, after] = [10, 20].map((ms) => benchResult([benchCase({ ttft_ms: [ms] })]));
    expect(verdicts(before, after)).toEqual({ ttft_ms: "same" });
  });

  it("warns of other machines, versions, models and settings, and lists cases that only one has", () => {
    const before = benchResult([benchCase({ ttft_ms: [1] }), benchCase({ ttft_ms: [1] }, { batch: 4 })]);
    const after: BenchResult = {
      ...benchResult([
        benchCase({ ttft_ms: [1] }, { revision: "other" }),
        benchCase({ ttft_ms: [1] }, { batch: 8, revision: "other" }),
      ]),
      complete: false,
      node: "26.0.0",
      settings: { ...before.settings, seed: 7 },
    };
    after.machine = { ...after.machine, cpu: "Another one", gpus: ["A card"] };
    const found = compareBenchResults(before, after);
    expect(found.warnings).toEqual([
      "the processor differs: A processor before, Another one after",
      "the GPU differs: none before, A card after",
      "Node differs: 24.0.0 before, 26.0.0 after",
      "--seed differs: 0 before, 7 after",
      "the revision of org/model differs: abc before, other after",
      "the measurement after was not finished",
    ]);
    expect(found.only_before).toEqual(["org/model int8 on cpu, 64 + 64 tokens, 4 at once"]);
    expect(found.only_after).toEqual(["org/model int8 on cpu, 64 + 64 tokens, 8 at once"]);
  });

  it("is of two models where each result has one, and of two dtypes alike", () => {
    const before = benchResult([benchCase({ ttft_ms: [4, 5] })]);
    const after = benchResult([
      benchCase({ ttft_ms: [2, 3] }, { model: "org/other", revision: "def", dtype: "int4" }),
    ]);
    const { cases, warnings, only_before } = compareBenchResults(before, after);
    expect(warnings).toEqual(["the model differs: org/model → org/other", "the dtype differs: int8 → int4"]);
    expect(cases).toMatchObject([
      {
        case: "org/model → org/other int8 → int4 on cpu, 64 + 64 tokens, 1 at once",
        measures: [{ verdict: "better" }],
      },
    ]);
    expect(only_before).toEqual([]);
  });
});

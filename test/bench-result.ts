import type { BenchMeasure } from "../src/core/bench/measures.js";
import type { BenchCase, BenchResult } from "../src/core/bench/result.js";
import { summarize } from "../src/core/bench/statistics.js";

/** A result with these cases, of a machine that doesn't exist. */
export function benchResult(cases: BenchCase[]): BenchResult {
  return {
    schema: "hfms-bench",
    schema_version: 1,
    date: "2026-01-02T03:04:05.000Z",
    hfms: { version: "0.1.0", commit: "0123456789abcdef", changed: false },
    runtime: { name: "onnxruntime", version: "1.30.0" },
    node: "24.0.0",
    machine: {
      cpu: "A processor",
      cores: 4,
      threads: 4,
      instruction_sets: ["avx2"],
      memory_bytes: 16e9,
      os: "Linux",
      platform: "linux",
      arch: "x64",
      gpus: [],
    },
    load_average: { before: 0.1, after: 1 },
    arguments: ["org/model"],
    settings: { warmup: 1, repeats: 3, seed: 0, speculation: false },
    complete: true,
    cases,
    missing: [],
  };
}

/** A case of a model that generates text, by its samples. */
export function benchCase(
  samples: Partial<Record<BenchMeasure, number[]>>,
  changes: Partial<BenchCase> = {},
): BenchCase {
  return {
    task: "text-generation",
    model: "org/model",
    revision: "abc",
    source: "hub",
    model_type: "llama",
    device: "cpu",
    dtype: "int8",
    prompt_tokens: 64,
    max_tokens: 64,
    batch: 1,
    memory_before_bytes: 80e6,
    load_ms: 500,
    measures: Object.fromEntries(Object.entries(samples).map(([name, values]) => [name, summarize(values)])),
    ...changes,
  };
}

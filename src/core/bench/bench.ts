import type { Engine } from "../engine.js";
import { BENCH_SCHEMA } from "./measures.js";
import { benchSettings, planModel, unusedSettings, type Variant } from "./plan.js";
import type { BenchEvent, BenchRequest, BenchSettings } from "./request.js";
import type { BenchResult } from "./result.js";

/**
 * Measures every combination of what is asked, model by model, each model in an engine of its own, so that loading is
 * measured and memory is given back. What can't be measured is refused before anything is. Yields `case` as each is done;
 * the event's `result` is what is known by then, also when an error or an abort comes later.
 */
export async function* bench(
  request: BenchRequest,
  openEngine: () => Promise<Engine>,
  signal?: AbortSignal,
): AsyncGenerator<BenchEvent> {
  const settings = benchSettings(request);
  const { result, variants } = await prepare(settings, openEngine, signal);
  for (const message of unusedSettings(request, variants)) yield { type: "notice", message };
  const { measureVariant } = await import("./variant.js");
  const context = {
    settings,
    result,
    openEngine,
    signal,
    progress: { done: 0, total: variants.reduce((sum, { runs }) => sum + runs, 0) },
    measured: new Set<string>(),
  };
  for (const variant of variants) yield* measureVariant(variant, context);
  result.complete = true;
  yield { type: "done", result };
}

async function prepare(
  settings: BenchSettings,
  openEngine: () => Promise<Engine>,
  signal?: AbortSignal,
): Promise<{ result: BenchResult; variants: Variant[] }> {
  const { describeMachine, describeVersion, loadAverage } = await import("./machine.js");
  await using engine = await openEngine();
  const variants: Variant[] = [];
  for (const model of settings.models) variants.push(...(await planModel(engine, settings, model, signal)));
  const { warmup, repeats, seed, speculation } = settings;
  const load = loadAverage();
  const result: BenchResult = {
    schema: "hfms-bench",
    schema_version: BENCH_SCHEMA,
    date: new Date().toISOString(),
    hfms: await describeVersion(),
    ...(await describeMachine(engine)),
    node: process.versions.node,
    load_average: load === undefined ? undefined : { before: load, after: load },
    arguments: settings.arguments,
    settings: { warmup, repeats, seed, speculation },
    complete: false,
    cases: [],
    missing: [],
  };
  return { result, variants };
}

/** A stored result, out of the text of a file; `name` is the file's, for the errors. */
export async function readBenchResult(text: string, name: string): Promise<BenchResult> {
  const { parseBenchResult } = await import("./result.js");
  return parseBenchResult(text, name);
}

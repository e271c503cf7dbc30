import type { Engine } from "../engine.js";
import { BENCH_SCHEMA } from "./measures.js";
import { benchSettings, checkModel, planVariants, unusedSettings, type Variant } from "./plan.js";
import type { BenchEvent, BenchRequest, BenchSettings } from "./request.js";
import type { BenchResult } from "./result.js";

/**
 * Measures every combination of what is asked. First all models are brought here and their graphs built, so that what
 * can't be measured is refused before anything is; then each model with its dtype and device is measured in an engine of
 * its own, which gives its memory back. Yields `case` as each is done; the event's `result` is what is known by then,
 * also when an error or an abort comes later.
 */
export async function* bench(
  request: BenchRequest,
  openEngine: () => Promise<Engine>,
  signal?: AbortSignal,
): AsyncGenerator<BenchEvent> {
  const said = new Set<string>();
  for await (const event of measure(request, openEngine, signal)) {
    // A model that is loaded several times has the same to say each time.
    if (event.type === "notice" && said.has(event.message)) continue;
    if (event.type === "notice") said.add(event.message);
    yield event;
  }
}

/** A stored result, out of the text of a file; `name` is the file's, for the errors. */
export async function readBenchResult(text: string, name: string): Promise<BenchResult> {
  const { parseBenchResult } = await import("./result.js");
  return parseBenchResult(text, name);
}

async function* measure(
  request: BenchRequest,
  openEngine: () => Promise<Engine>,
  signal?: AbortSignal,
): AsyncGenerator<BenchEvent> {
  const settings = benchSettings(request);
  const { result, variants } = yield* prepare(settings, openEngine, signal);
  for (const message of unusedSettings(request, variants)) yield { type: "notice", message };
  const { measureVariant } = await import("./variant.js");
  const progress = { done: 0, total: variants.reduce((sum, { runs }) => sum + runs, 0) };
  for (const variant of variants)
    yield* measureVariant(variant, { settings, result, openEngine, progress, signal });
  result.complete = true;
  yield { type: "done", result };
}

async function* prepare(
  settings: BenchSettings,
  openEngine: () => Promise<Engine>,
  signal?: AbortSignal,
): AsyncGenerator<BenchEvent, { result: BenchResult; variants: Variant[] }> {
  const [{ describeMachine, describeVersion, loadAverage }, { selectDevice }] = await Promise.all([
    import("./machine.js"),
    import("../hardware/select.js"),
  ]);
  await using engine = await openEngine();
  const hardware = await engine.hardware();
  const devices = settings.devices.map((asked) => ({
    asked,
    // Numbers of a device that was asked for by name are never those of another one.
    device: selectDevice(hardware, { device: asked, requireDevice: asked !== "auto" }).device,
  }));
  for (const model of settings.models) await checkModel(engine, settings, model, signal);
  const variants = yield* planVariants(engine, { settings, devices, signal });
  const { warmup, repeats, seed, speculation } = settings;
  const load = loadAverage();
  const result: BenchResult = {
    schema: "hfms-bench",
    schema_version: BENCH_SCHEMA,
    date: new Date().toISOString(),
    hfms: await describeVersion(),
    ...(await describeMachine(hardware, engine.config)),
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

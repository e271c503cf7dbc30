import type { Engine } from "../engine.js";
import { HfmsError, throwIfAborted } from "../errors.js";
import type { NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";
import { loadAverage } from "./machine.js";
import type { BenchMeasure } from "./measures.js";
import { openMeters, type Run } from "./meters.js";
import { requireContext, type Variant } from "./plan.js";
import type { BenchEvent, BenchSettings } from "./request.js";
import type { BenchCase, BenchResult } from "./result.js";
import { type Summary, summarize } from "./statistics.js";
import { embeddingWorkload, generationWorkload } from "./workload.js";

interface Context {
  settings: BenchSettings;
  /** Gets the cases. */
  result: BenchResult;
  openEngine: () => Promise<Engine>;
  progress: { done: number; total: number };
  /** Models, devices and dtypes that are done, by what they turned out to be. */
  measured: Set<string>;
  signal?: AbortSignal;
}

/** Loads a model and measures its cases, one after the other. */
export async function* measureVariant(variant: Variant, context: Context): AsyncGenerator<BenchEvent> {
  const { settings, result, progress, measured, signal } = context;
  const { choice, task, cases } = variant;
  const { engine, ready, memoryBefore } = yield* load(variant, context);
  await using _engine = engine;
  const { model, revision, source, modelType, device, dtype, contextLength } = ready;
  const identity = JSON.stringify([model, revision, device, dtype]);
  if (measured.has(identity)) {
    const asked = `dtype ${choice.dtype} on device ${choice.device}`;
    yield {
      type: "notice",
      message: `${model}: ${asked} means ${dtype} on ${device}, which is measured already`,
    };
    progress.total -= variant.runs;
    return;
  }
  measured.add(identity);
  if (task === "text-generation") requireContext(model, contextLength, cases);
  const workload = task === "text-generation" ? generationWorkload : embeddingWorkload;
  const prepare = workload({ engine, choice, settings, signal });
  using meters = await openMeters({ gpu: device === "cuda" });
  result.missing.push(...meters.missing.filter((reason) => !result.missing.includes(reason)));
  const about = { task, model, revision, source, model_type: modelType, device, dtype };
  for (const planned of cases) {
    const key = { ...about, ...planned };
    const runs: Run["measures"][] = [];
    const count = settings.warmup + settings.repeats;
    for (let run = 1; run <= count; run++) {
      yield { type: "run", case: key, run, runs: count, ...progress };
      throwIfAborted(signal);
      const work = await prepare(planned, run);
      const measures = await meters.measure(work);
      progress.done++;
      if (run > settings.warmup) runs.push(measures);
    }
    const done: BenchCase = {
      ...key,
      memory_before_bytes: memoryBefore,
      load_ms: ready.loadMs,
      measures: summaries(runs),
    };
    result.cases.push(done);
    if (result.load_average) result.load_average.after = loadAverage() ?? 0;
    yield { type: "case", case: done, result };
  }
}

/** A number that only some of the repeats have is left out: it can't stand beside those that all have. */
function summaries(runs: Run["measures"][]): Partial<Record<BenchMeasure, Summary>> {
  const names = Object.keys(runs[0]) as BenchMeasure[];
  return Object.fromEntries(
    names.flatMap((name) => {
      const samples = runs.map((measures) => measures[name]).filter((value) => value !== undefined);
      return samples.length === runs.length ? [[name, summarize(samples)]] : [];
    }),
  );
}

interface Loaded {
  engine: Engine;
  ready: ReadyEvent;
  memoryBefore: number;
}

/** Loads the model until it has answered once. Where its graph had to be built first, once more, from the disk. */
async function* load(
  variant: Variant,
  { openEngine, signal }: Context,
): AsyncGenerator<NoticeEvent | ProgressEvent | ReadyEvent, Loaded> {
  for (let built = false; ; ) {
    const memoryBefore = process.memoryUsage.rss();
    let engine: Engine | undefined = await openEngine();
    try {
      let ready: ReadyEvent | undefined;
      let building = false;
      for await (const event of firstAnswer(engine, variant, signal)) {
        if (event.type === "progress") building ||= event.phase === "download" || event.phase === "convert";
        if (event.type === "ready") ready = event;
        // What is chosen and noticed is said once.
        if (event.type === "progress" || ((event.type === "notice" || event.type === "ready") && !built))
          yield event;
      }
      if (!ready) throw new HfmsError("internal_error", "the model was not loaded");
      if (built || !building) {
        const loaded = { engine, ready, memoryBefore };
        engine = undefined;
        return loaded;
      }
      built = true;
    } finally {
      await engine?.[Symbol.asyncDispose]();
    }
  }
}

function firstAnswer(engine: Engine, { choice, task }: Variant, signal?: AbortSignal) {
  return task === "text-generation"
    ? engine.generate({ ...choice, prompt: "The", raw: true, maxTokens: 1, temperature: 0 }, signal)
    : engine.embed({ ...choice, input: ["The"] }, signal);
}

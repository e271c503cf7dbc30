import type { Engine } from "../engine.js";
import { HfmsError, throwIfAborted } from "../errors.js";
import type { NoticeEvent, ProgressEvent, ReadyEvent } from "../requests.js";
import { loadAverage } from "./machine.js";
import type { BenchMeasure } from "./measures.js";
import { openMeters, type Run } from "./meters.js";
import type { Variant } from "./plan.js";
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
  signal?: AbortSignal;
}

/** Loads a model and measures its cases, one after the other. */
export async function* measureVariant(variant: Variant, context: Context): AsyncGenerator<BenchEvent> {
  const { settings, result, progress, openEngine, signal } = context;
  const { choice, task, cases } = variant;
  const memoryBefore = process.memoryUsage.rss();
  await using engine = await openEngine();
  const ready = yield* load(engine, variant, signal);
  const { model, revision, source, modelType, device } = ready;
  const dtype = ready.kvCacheDtype ? `${ready.dtype} with ${ready.kvCacheDtype} cache` : ready.dtype;
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

async function* load(
  engine: Engine,
  { choice, task }: Variant,
  signal?: AbortSignal,
): AsyncGenerator<NoticeEvent | ProgressEvent | ReadyEvent, ReadyEvent> {
  for await (const event of engine.load(choice, task, signal)) {
    yield event;
    if (event.type === "ready") return event;
  }
  throw new HfmsError("internal_error", `${choice.model} was not loaded`);
}

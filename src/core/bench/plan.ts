import type { Engine } from "../engine.js";
import { HfmsError } from "../errors.js";
import type { DeviceName, ModelChoice, NoticeEvent, ProgressEvent } from "../requests.js";
import { type BenchRequest, type BenchSettings, benchDefaults } from "./request.js";
import type { BenchCase } from "./result.js";

/** A model with a device and a dtype, loaded once, and what is measured of it. */
export interface Variant {
  choice: ModelChoice;
  task: BenchCase["task"];
  cases: PlannedCase[];
  /** Of all its cases, warm-up included. */
  runs: number;
}

export type PlannedCase = Pick<BenchCase, "prompt_tokens" | "max_tokens" | "texts" | "batch">;

/** The request with its defaults. What has no meaning is refused, with the value. */
export function benchSettings(request: BenchRequest): BenchSettings {
  const said = Object.fromEntries(Object.entries(request).filter(([, value]) => value !== undefined));
  const settings: BenchSettings = { ...benchDefaults, ...(said as BenchRequest) };
  const refuse = (param: string, reason: string): never => {
    throw new HfmsError("invalid_request", `${param} ${reason}`, { param });
  };
  const check = (param: string, values: number[], least: number): void => {
    const wrong = values.find((value) => !Number.isSafeInteger(value) || value < least);
    if (wrong !== undefined) refuse(param, `is ${wrong}; it must be a whole number, ${least} or more`);
  };
  for (const param of ["models", "dtypes", "devices", "promptTokens", "maxTokens", "batch"] as const)
    if (settings[param].length === 0) refuse(param, "is empty: there is nothing to measure");
  for (const param of ["promptTokens", "maxTokens", "batch"] as const) check(param, settings[param], 1);
  for (const param of ["repeats", "texts"] as const) check(param, [settings[param]], 1);
  for (const param of ["warmup", "seed"] as const) check(param, [settings[param]], 0);
  return settings;
}

/** What was said and means nothing to any of the models: one sentence each. */
export function unusedSettings(request: BenchRequest, variants: Variant[]): string[] {
  const tasks = new Set(variants.map(({ task }) => task));
  const said = (names: (keyof BenchRequest)[]): boolean => names.some((name) => request[name] !== undefined);
  const unused: string[] = [];
  if (!tasks.has("text-generation") && said(["promptTokens", "maxTokens"]))
    unused.push("lengths of prompts and answers mean nothing to models that turn text into vectors");
  if (!tasks.has("feature-extraction") && said(["texts"]))
    unused.push("the number of texts means nothing to models that generate text");
  return unused;
}

/** Refuses a model that can't be measured, by what is known of it before its weights are here. */
export async function checkModel(
  engine: Engine,
  settings: BenchSettings,
  model: string,
  signal?: AbortSignal,
): Promise<void> {
  const { tasks, contextLength } = await engine.info(model, signal);
  // The task of a file that was never opened is not known yet.
  if (tasks.length > 0 && taskOf(model, tasks) === "text-generation")
    requireContext(model, contextLength, generationCases(settings));
}

/** Brings every model here and builds its graphs, and says what is to be measured of each. */
export async function* planVariants(
  engine: Engine,
  {
    settings,
    devices,
    signal,
  }: {
    settings: BenchSettings;
    /** What was asked for, and what it means on this machine. */
    devices: { asked: DeviceName | "auto"; device: DeviceName }[];
    signal?: AbortSignal;
  },
): AsyncGenerator<NoticeEvent | ProgressEvent, Variant[]> {
  const { batch, texts, source, revision, kvCacheDtype, warmup, repeats } = settings;
  const variants = new Map<string, Variant>();
  for (const model of settings.models) {
    for (const dtype of settings.dtypes) {
      const prepared = yield* engine.prepare({ model, dtype, kvCacheDtype, source, revision }, signal);
      const task = taskOf(model, prepared.tasks);
      const cases =
        task === "text-generation" ? generationCases(settings) : batch.map((n) => ({ texts, batch: n }));
      if (task === "text-generation") requireContext(model, prepared.contextLength, cases);
      for (const { asked, device } of devices) {
        const same = `${prepared.directory} ${device}`;
        if (variants.has(same)) {
          const message = `${model} as ${dtype} on ${asked} is ${prepared.dtype} on ${device}, which is measured already`;
          yield { type: "notice", message };
          continue;
        }
        const requireDevice = asked !== "auto";
        const choice = { model, dtype, kvCacheDtype, device: asked, requireDevice, source, revision };
        variants.set(same, { choice, task, cases, runs: cases.length * (warmup + repeats) });
      }
    }
  }
  return [...variants.values()];
}

function taskOf(model: string, tasks: string[]): Variant["task"] {
  const task = (["text-generation", "feature-extraction"] as const).find((one) => tasks.includes(one));
  if (task !== undefined) return task;
  throw new HfmsError("unsupported_task", `${model} does ${tasks.join(", ")}`, {
    hint: "models that generate text and models that turn it into vectors can be measured",
    param: "model",
  });
}

function generationCases({ promptTokens, maxTokens, batch }: BenchSettings): PlannedCase[] {
  return promptTokens.flatMap((prompt_tokens) =>
    maxTokens.flatMap((max_tokens) => batch.map((n) => ({ prompt_tokens, max_tokens, batch: n }))),
  );
}

/** Refuses prompts and answers that are longer than the model's context. */
function requireContext(model: string, contextLength: number | undefined, cases: PlannedCase[]): void {
  for (const { prompt_tokens = 0, max_tokens = 0 } of cases) {
    if (contextLength === undefined || prompt_tokens + max_tokens <= contextLength) continue;
    throw new HfmsError(
      "context_length_exceeded",
      `a prompt of ${prompt_tokens} tokens and ${max_tokens} new ones don't fit: the context of ${model} is ${contextLength}`,
      { hint: "ask for shorter prompts or answers", param: "promptTokens" },
    );
  }
}

import { readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import type { Config } from "./config.js";
import { HfmsError } from "./errors.js";
import {
  GRAPH_FILE,
  type GraphManifest,
  graphDirectory,
  markUsed,
  PREFILL_FILE,
  readAutoChoice,
  readManifest,
} from "./graph-store.js";
import { createMachine } from "./hardware/machine.js";
import { readProcessor } from "./hardware/processor.js";
import { type DeviceChoice, selectDeviceAtStart } from "./hardware/select.js";
import type { Machine } from "./hardware/types.js";
import type { FetchedModel } from "./hub/index.js";
import type { ModelRef, Repository } from "./hub/types.js";
import type { Dtype, ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent } from "./requests.js";
import type { Decoder } from "./runtime/decoder.js";
import type { Encoder } from "./runtime/encoder.js";
import { hasFastInt8, prefersFloats } from "./runtime/prefill-policy.js";
import { Turn } from "./runtime/turn.js";
import type { EncoderBatcher } from "./scheduler/encoder-batcher.js";
import { chooseModel } from "./skills/chosen-model.js";
import type { Registry } from "./skills/registry.js";
import type { SkillModel } from "./skills/types.js";
import type { Tokenizer } from "./text/types.js";

/** A model that is ready to run: the graph with its session, and its text side. */
export interface LoadedModel {
  manifest: GraphManifest;
  /** Folder of tokenizer.json, the chat template and the sentence-transformers files. */
  textDirectory: string;
  tokenizer: Tokenizer;
  runner:
    | { kind: "decoder"; decoder: Decoder }
    | { kind: "encoder"; encoder: Encoder; batcher: EncoderBatcher };
  /** Texts to put before an input, by name, that the skill knows of. */
  prompts: Record<string, string>;
  ready: ReadyEvent;
  /** One request at a time. */
  turn: Turn;
}

/** A graph on the disk, and the files that it was built from. */
export interface BuiltModel {
  directory: string;
  manifest: GraphManifest;
  fetched: FetchedModel;
}

interface LoadOptions {
  choice: ModelChoice;
  task: string;
  device: DeviceChoice;
  machine: Machine;
  signal?: AbortSignal;
}

type LoadEvent = NoticeEvent | ProgressEvent | ReadyEvent;

/** Brings models from their names to the point where they run, and keeps them until the engine closes. */
export class ModelPool implements AsyncDisposable {
  readonly #config: Config;
  readonly #registry: Registry;
  readonly #loaded = new Map<string, LoadedModel>();
  /** Two requests for a model that is not loaded yet load it once. */
  readonly #loading = new Map<string, Turn>();

  constructor(config: Config, registry: Registry) {
    this.#config = config;
    this.#registry = registry;
  }

  /** `const model = yield* pool.load(choice, "text-generation")`: what happens on the way, then the model. */
  async *load(
    choice: ModelChoice,
    task: string,
    signal?: AbortSignal,
  ): AsyncGenerator<LoadEvent, LoadedModel> {
    const machine = createMachine({ executionProviders: async () => [], runtimeDevices: async () => [] });
    const device = await selectDeviceAtStart(machine, choice);
    if (device.notice) yield { type: "notice", message: device.notice };
    const key = JSON.stringify([choice.model, choice.dtype, device.device, choice.source, choice.revision]);
    const loaded = this.#loaded.get(key);
    const model = loaded ?? (yield* this.#loadOnce(key, { choice, task, device, machine, signal }));
    requireTask(model.manifest, task);
    yield { ...model.ready, task, deviceReason: device.reason, ...(loaded && { loadMs: 0 }) };
    return model;
  }

  async *#loadOnce(
    key: string,
    { choice, task, device, machine, signal }: LoadOptions,
  ): AsyncGenerator<NoticeEvent | ProgressEvent, LoadedModel> {
    const turn = this.#loading.get(key) ?? new Turn();
    this.#loading.set(key, turn);
    using _turn = await turn.take(signal);
    const loaded = this.#loaded.get(key);
    if (loaded) return loaded;
    const start = performance.now();
    const { directory, manifest, fetched } = yield* this.prepare(choice, signal);
    requireTask(manifest, task);
    yield {
      type: "progress",
      phase: "load",
      what: manifest.model,
      done: 0,
      unit: "bytes",
      total: manifest.weightsSize,
    };
    const textDirectory = manifest.ownText ? directory : fetched.directory;
    // The graph first: it is opened on another thread while this one reads the vocabulary.
    const [opened, text] = await Promise.allSettled([
      this.#open(directory, manifest, machine),
      loadText(textDirectory, signal),
    ]);
    if (opened.status === "rejected") throw opened.reason;
    if (text.status === "rejected") {
      await close(opened.value);
      throw text.reason;
    }
    const [tokenizer, runner] = [text.value, opened.value];
    const ready: ReadyEvent = {
      type: "ready",
      model: manifest.model,
      revision: manifest.revision,
      source: manifest.source,
      modelType: manifest.modelType,
      task,
      device: device.device,
      dtype: manifest.dtype,
      dtypeReason: manifest.dtypeReason,
      deviceReason: device.reason,
      contextLength: manifest.info.contextLength,
      loadMs: performance.now() - start,
    };
    await markUsed(directory);
    const prompts = this.#chosen(choice)?.prompts ?? {};
    const model = { manifest, textDirectory, tokenizer, runner, ready, prompts, turn: new Turn() };
    this.#loaded.set(key, model);
    return model;
  }

  /** Everything up to the built graph on the disk, without loading it. */
  async *prepare(
    choice: ModelChoice,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent, BuiltModel> {
    const { resolveRepository } = await import("./hub/index.js");
    const notices: NoticeEvent[] = [];
    const repository = await resolveRepository(
      this.modelRef(choice),
      { config: this.#config, source: choice.source, signal },
      (notice) => notices.push(notice),
    );
    yield* notices;
    yield* this.checkArchitecture(repository, signal);
    return yield* this.build(repository, choice.dtype ?? "auto", signal);
  }

  /** Fetches what is missing and builds the graph, unless it stands on the disk already. */
  async *build(
    repository: Repository,
    dtype: Dtype,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent, BuiltModel> {
    const { fetchModel } = await import("./hub/index.js");
    const config = this.#config;
    const fetched = yield* fetchModel(repository, { config, signal });
    const weights = fetched.index ?? fetched.weights[0];
    const { id, revision, source } = fetched.repository;
    const known = dtype === "auto" ? await readAutoChoice(config.hfmsCache, id, revision, weights) : dtype;
    if (known) {
      const directory = graphDirectory(config.hfmsCache, id, revision, weights, known);
      const manifest = await readManifest(directory);
      if (manifest) return { directory, manifest, fetched };
    }
    const { convert } = await import("./convert.js");
    const built = yield* convert(
      { model: id, revision, source, directory: fetched.directory, weights },
      { root: config.hfmsCache, dtype, signal },
    );
    return { ...built, fetched };
  }

  /** A model that can't be built is refused before its weights are transferred. */
  async *checkArchitecture(
    repository: Repository,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent> {
    const listed = repository.files.find((file) => file.path === "config.json");
    const willTransfer = repository.files.some((file) => !file.cached && /\.safetensors$/.test(file.path));
    if (!listed || !willTransfer || repository.source === "package") return;
    const { sources } = await import("./hub/index.js");
    if (!listed.cached)
      yield* sources[repository.source](this.#config).fetch(repository, ["config.json"], signal);
    const text = await readFile(path.join(repository.directory, "config.json"), "utf8");
    const { architectureOf } = await import("./models/index.js");
    architectureOf((JSON.parse(text) as { model_type?: unknown }).model_type);
  }

  /** What a typed name means: the repository, its revision, and the packages that also carry it. */
  modelRef(choice: Pick<ModelChoice, "model" | "revision">): ModelRef {
    const chosen = chooseModel(this.#registry, choice.model);
    if (chosen.kind !== "hub") return { id: chosen.path, revision: choice.revision };
    return {
      id: chosen.id,
      revision: choice.revision ?? chosen.revision,
      quant: chosen.quant,
      packages: chosen.model?.packages,
    };
  }

  #chosen(choice: ModelChoice): SkillModel | undefined {
    const chosen = chooseModel(this.#registry, choice.model);
    return chosen.kind === "hub" ? chosen.model : undefined;
  }

  async #open(directory: string, manifest: GraphManifest, machine: Machine): Promise<LoadedModel["runner"]> {
    const { info, parameters } = manifest;
    const options = { threads: this.#config.threads ?? os.availableParallelism() };
    const step = path.join(directory, GRAPH_FILE);
    if (info.kind === "encoder") {
      const { Encoder } = await import("./runtime/encoder.js");
      const { EncoderBatcher } = await import("./scheduler/encoder-batcher.js");
      const encoder = await Encoder.load(step, info, options);
      return { kind: "encoder", encoder, batcher: new EncoderBatcher(encoder) };
    }
    const { Decoder } = await import("./runtime/decoder.js");
    const prefill = manifest.prefill ? path.join(directory, PREFILL_FILE) : undefined;
    const facts = { parameters, fastInt8: hasFastInt8((await readProcessor(machine)).instructionSets) };
    const graphs = { step, prefill, usesPrefill: (tokens: number) => prefersFloats(tokens, facts) };
    return { kind: "decoder", decoder: await Decoder.load(graphs, info, options) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { runner } of this.#loaded.values()) await close(runner);
    this.#loaded.clear();
  }
}

async function close(runner: LoadedModel["runner"]): Promise<void> {
  if (runner.kind === "encoder") await runner.batcher[Symbol.asyncDispose]();
  await (runner.kind === "decoder" ? runner.decoder : runner.encoder)[Symbol.asyncDispose]();
}

function requireTask(manifest: GraphManifest, task: string): void {
  if (manifest.tasks.includes(task)) return;
  throw new HfmsError(
    "unsupported_task",
    `${manifest.model} does ${manifest.tasks.join(", ")}, not ${task}`,
    {
      hint: manifest.info.kind === "encoder" ? "use `hfms embed`" : "use `hfms run`",
      param: "model",
    },
  );
}

async function loadText(directory: string, signal?: AbortSignal): Promise<Tokenizer> {
  const { loadTokenizer } = await import("./text/tokenizer.js");
  return loadTokenizer(directory, signal);
}

import path from "node:path";
import type { Config } from "./config.js";
import { HfmsError } from "./errors.js";
import { type GraphManifest, graphDirectory, markUsed, readAutoChoice, readManifest } from "./graph-store.js";
import type { FetchedModel } from "./hub/index.js";
import type { ModelRef, Repository } from "./hub/types.js";
import { identifyModel, type ModelIdentity, modelRef } from "./model-identity.js";
import { closeRunner, type ModelRunner, openRunner } from "./model-runner.js";
import type { Dtype, ModelChoice, NoticeEvent, ProgressEvent, ReadyEvent, RunningModel } from "./requests.js";
import { Turn } from "./runtime/turn.js";
import type { Registry } from "./skills/registry.js";
import type { VectorLayer } from "./text/sentence-layers.js";
import type { Tokenizer } from "./text/types.js";

/** A model that is ready to run: the graph with its session, and its text side. */
export interface LoadedModel {
  manifest: GraphManifest;
  /** Of the graph. */
  directory: string;
  /** Folder of tokenizer.json, the chat template and the sentence-transformers files. */
  textDirectory: string;
  tokenizer: Tokenizer;
  runner: ModelRunner;
  /** Texts to put before an input, by name, that the skill knows of. */
  prompts: Record<string, string>;
  /** What stands between pooling and a text's vector; read by the first request that needs it. */
  vectorLayers?: VectorLayer[];
  ready: ReadyEvent;
}

/** A graph on the disk, and the files that it was built from. */
export interface BuiltModel {
  directory: string;
  manifest: GraphManifest;
  fetched: FetchedModel;
}

/** A loaded model with what the pool knows of its use. */
interface Held {
  model: LoadedModel;
  /** Of the names that it was loaded under. */
  keys: Set<string>;
  inUse: number;
  since: number;
  lastUsed: number;
  /** Called when the last request has ended, once the model has left the pool. */
  leave?: () => void;
}

type LoadEvent = NoticeEvent | ProgressEvent | ReadyEvent;

/** Brings models from their names to the point where they run, and keeps them until they are unloaded. */
export class ModelPool implements AsyncDisposable {
  readonly #config: Config;
  readonly #registry: Registry;
  readonly #held = new Map<string, Held>();
  /** Two requests for a model that is not loaded yet load it once. */
  readonly #loading = new Map<string, Turn>();

  constructor(config: Config, registry: Registry) {
    this.#config = config;
    this.#registry = registry;
  }

  /**
   * Does work with a model: what happens until it is loaded, `ready`, then the work's own events. Until they end the
   * model is not unloaded. Without a task any model will do.
   */
  async *run<E = never>(
    choice: ModelChoice,
    task: string | undefined,
    signal?: AbortSignal,
    work?: (model: LoadedModel) => AsyncIterable<E>,
  ): AsyncGenerator<LoadEvent | E> {
    const identity = await identifyModel(this.#registry, choice);
    const { device } = identity;
    if (device.notice) yield { type: "notice", message: device.notice };
    const before = this.#held.get(identity.key);
    let held: Held;
    // It may be unloaded between the end of its loading and here.
    do held = this.#held.get(identity.key) ?? (yield* this.#loadOnce(choice, task, identity, signal));
    while (this.#held.get(identity.key) !== held);
    const { model } = held;
    requireTask(model.manifest, task);
    held.inUse++;
    try {
      const { ready } = model;
      yield {
        ...ready,
        task: task ?? ready.task,
        deviceReason: device.reason,
        ...(before === held && { loadMs: 0 }),
      };
      if (work) yield* work(model);
    } finally {
      held.lastUsed = Date.now();
      if (--held.inUse === 0) held.leave?.();
    }
  }

  async *#loadOnce(
    choice: ModelChoice,
    task: string | undefined,
    { key, ref, device, machine, prompts }: ModelIdentity,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent, Held> {
    const start = performance.now();
    using _turn = await this.#turn(key).take(signal);
    const loaded = this.#held.get(key);
    if (loaded) return loaded;
    const { directory, manifest, fetched } = yield* this.prepare(choice, signal, ref);
    requireTask(manifest, task);
    // `auto` and `int8` may be the same graph.
    using _graph = await this.#turn(directory).take(signal);
    const same = [...this.#held.values()].find(
      ({ model }) => model.directory === directory && model.ready.device === device.device,
    );
    if (same) {
      this.#held.set(key, same);
      same.keys.add(key);
      return same;
    }
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
      openRunner(this.#config, directory, manifest, machine),
      loadText(textDirectory, signal),
    ]);
    if (opened.status === "rejected") throw opened.reason;
    if (text.status === "rejected") {
      await closeRunner(opened.value);
      throw text.reason;
    }
    const [tokenizer, runner] = [text.value, opened.value];
    const ready: ReadyEvent = {
      type: "ready",
      model: manifest.model,
      revision: manifest.revision,
      source: manifest.source,
      modelType: manifest.modelType,
      task: manifest.tasks[0],
      device: device.device,
      dtype: manifest.dtype,
      ...(manifest.kvCacheDtype && { kvCacheDtype: manifest.kvCacheDtype }),
      dtypeReason: manifest.dtypeReason,
      deviceReason: device.reason,
      contextLength: manifest.info.contextLength,
      loadMs: performance.now() - start,
    };
    await markUsed(directory);
    const model = { manifest, directory, textDirectory, tokenizer, runner, ready, prompts };
    const now = Date.now();
    const held: Held = { model, keys: new Set([key]), inUse: 0, since: now, lastUsed: now };
    this.#held.set(key, held);
    return held;
  }

  /** Loads a model before it is needed. */
  async *load(choice: ModelChoice, task?: string, signal?: AbortSignal): AsyncGenerator<LoadEvent> {
    yield* this.run(choice, task, signal);
  }

  /** What is loaded. The memory is the whole process's. */
  async running(): Promise<RunningModel[]> {
    const memory = process.memoryUsage.rss();
    return [...new Set(this.#held.values())].map(({ model, inUse, since, lastUsed }) => {
      const { model: name, revision, dtype, kvCacheDtype, device } = model.ready;
      const facts = {
        state: "ready",
        pid: process.pid,
        memory,
        since,
        lastUsed,
        inUse,
        pinned: true,
      } as const;
      return { model: name, revision, dtype, ...(kvCacheDtype && { kvCacheDtype }), device, ...facts };
    });
  }

  /**
   * Takes a model out of memory when the requests that use it have ended; new requests load it again. Returns how many
   * there were: one for each dtype and device.
   */
  async unload(name: string): Promise<number> {
    const { id } = this.modelRef({ model: name });
    const leaving = new Set([...this.#held.values()].filter(({ model }) => model.manifest.model === id));
    await Promise.all([...leaving].map((held) => this.#release(held)));
    return leaving.size;
  }

  async #release(held: Held): Promise<void> {
    for (const key of held.keys) this.#held.delete(key);
    if (held.inUse > 0) {
      await new Promise<void>((resolve) => {
        held.leave = resolve;
      });
    }
    await closeRunner(held.model.runner);
  }

  #turn(key: string): Turn {
    const turn = this.#loading.get(key) ?? new Turn();
    this.#loading.set(key, turn);
    return turn;
  }

  /** Everything up to the built graph on the disk, without loading it. */
  async *prepare(
    choice: ModelChoice,
    signal?: AbortSignal,
    ref = this.modelRef(choice),
  ): AsyncGenerator<NoticeEvent | ProgressEvent, BuiltModel> {
    const { resolveRepository } = await import("./hub/index.js");
    const notices: NoticeEvent[] = [];
    const repository = await resolveRepository(
      ref,
      { config: this.#config, source: choice.source, signal },
      (notice) => notices.push(notice),
    );
    yield* notices;
    yield* this.checkArchitecture(repository, signal);
    const built = yield* this.build(repository, choice.dtype ?? "auto", signal);
    return choice.kvCacheDtype === "int8" ? yield* this.#withInt8Cache(built, signal) : built;
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
    // A graph may have been built for somebody who asked for its dtype: why it is taken now is another matter.
    const choice =
      dtype === "auto"
        ? await readAutoChoice(config.hfmsCache, id, revision, weights)
        : { dtype, reason: "asked for" };
    if (choice) {
      const directory = graphDirectory(config.hfmsCache, id, revision, weights, choice.dtype);
      const manifest = await readManifest(directory);
      if (manifest) return { directory, manifest: { ...manifest, dtypeReason: choice.reason }, fetched };
    }
    const { convert } = await import("./convert.js");
    const built = yield* convert(
      { model: id, revision, source, directory: fetched.directory, weights },
      { root: config.hfmsCache, dtype, threads: config.threads, signal },
    );
    return { ...built, fetched };
  }

  /** The same graph with a cache of int8. It is made once, out of the built one. */
  async *#withInt8Cache(
    { directory, manifest, fetched }: BuiltModel,
    signal?: AbortSignal,
  ): AsyncGenerator<ProgressEvent, BuiltModel> {
    const { model, revision, source, ownText } = manifest;
    const weights = fetched.index ?? fetched.weights[0];
    const { hfmsCache: root, threads } = this.#config;
    const int8 = graphDirectory(root, model, revision, weights, manifest.dtype, "int8");
    const existing = await readManifest(int8);
    if (existing) return { directory: int8, manifest: existing, fetched };
    const { buildInt8Cache } = await import("./int8-cache/build.js");
    const built = yield* buildInt8Cache(
      { model, revision, source, directory: fetched.directory, weights },
      { directory, manifest, textDirectory: ownText ? directory : fetched.directory },
      { root, threads, signal },
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
    const { readJson } = await import("./convert/source.js");
    const { architectureOf, textConfig } = await import("./models/index.js");
    const { readQuantization } = await import("./weights/quantized/configuration.js");
    const whole = await readJson(path.join(repository.directory, "config.json"));
    const config = textConfig(whole);
    readQuantization({ ...config, ...whole });
    await architectureOf(config.model_type);
  }

  /** What a typed name means: the repository, its revision, and the packages that also carry it. */
  modelRef(choice: Pick<ModelChoice, "model" | "revision">): ModelRef {
    return modelRef(this.#registry, choice);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const held = new Set(this.#held.values());
    this.#held.clear();
    for (const { model } of held) await closeRunner(model.runner);
  }
}

/** The command for each task. */
const commands: Record<string, string> = {
  "text-generation": "run",
  "text2text-generation": "run",
  summarization: "run",
  translation: "run",
  "text-classification": "run",
  "text-ranking": "rank",
  "token-classification": "run",
  "question-answering": "run",
  "fill-mask": "run",
  "feature-extraction": "embed",
};

function requireTask(manifest: GraphManifest, task: string | undefined): void {
  if (task === undefined || manifest.tasks.includes(task)) return;
  throw new HfmsError(
    "unsupported_task",
    `${manifest.model} does ${manifest.tasks.join(", ")}, not ${task}`,
    {
      hint: `use \`hfms ${commands[manifest.tasks[0]] ?? "info"}\``,
      param: "model",
    },
  );
}

async function loadText(directory: string, signal?: AbortSignal): Promise<Tokenizer> {
  const { loadTokenizer } = await import("./text/tokenizer.js");
  return loadTokenizer(directory, signal);
}

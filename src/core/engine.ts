import { type Config, readConfig } from "./config.js";
import type { HardwareReport } from "./hardware/types.js";
import type { HostPool } from "./host/host-pool.js";
import { listModels, modelInfo, removeModel } from "./inventory.js";
import { modelRef } from "./model-identity.js";
import { type LoadedModel, ModelPool } from "./model-pool.js";
import type {
  AnswerQuestionsEvent,
  AnswerQuestionsRequest,
  ClassifyEvent,
  ClassifyRequest,
  ClassifyTokensEvent,
  ClassifyTokensRequest,
  DetokenizeEvent,
  DetokenizeRequest,
  DiscoverQuery,
  DriftReport,
  EmbedEvent,
  EmbedRequest,
  ExportEvent,
  ExportRequest,
  FillMasksEvent,
  FillMasksRequest,
  GenerateEvent,
  GenerateRequest,
  LocalModel,
  ModelAbilities,
  ModelChoice,
  ModelInfo,
  NoticeEvent,
  PreparedModel,
  ProgressEvent,
  PullEvent,
  PullRequest,
  QualityEvent,
  QualityRequest,
  RankEvent,
  RankRequest,
  ReadyEvent,
  RemovedModel,
  ResolvedName,
  RunningModel,
  TokenizeEvent,
  TokenizeRequest,
} from "./requests.js";
import { aliasesOf, openRegistry, type Registry } from "./skills/registry.js";
import type { DiscoveredSkill } from "./skills/types.js";

export interface EngineOptions {
  /**
   * `process`: each model runs in a process of its own, within a budget of memory (`keepAlive` and `memoryBudget` of the
   * configuration). `none`: models run in this process and stay until they are unloaded. Default `none`.
   */
  isolation?: "none" | "process";
}

/**
 * The one facade: everything that commands and routes may ask of the core. Long work is an async generator of events;
 * leaving it early, or the signal, stops the work. Errors are HfmsError with a code of the table.
 */
export class Engine implements AsyncDisposable {
  readonly config: Config;
  readonly #registry: Registry;
  readonly #pool: ModelPool;
  /** Where each model has a process of its own. */
  readonly #hosts?: HostPool;

  private constructor(config: Config, registry: Registry, hosts?: HostPool) {
    this.config = config;
    this.#registry = registry;
    this.#pool = new ModelPool(config, registry);
    this.#hosts = hosts;
  }

  /** Reads the skills; models are loaded when they are asked for. */
  static async open(
    config: Config = readConfig(),
    { isolation = "none" }: EngineOptions = {},
  ): Promise<Engine> {
    const registry = await openRegistry(config.skillsDir ? [config.skillsDir] : []);
    if (isolation === "none") return new Engine(config, registry);
    const { HostPool } = await import("./host/host-pool.js");
    return new Engine(config, registry, new HostPool(config, registry));
  }

  /** Continues a text or answers a conversation: notices and progress, `ready`, text as it comes, `done`. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GenerateEvent> {
    if (this.#hosts) return yield* this.#hosts.run("generate", request, signal);
    const { generate } = await import("./tasks/text-generation.js");
    const { draftModel } = request;
    if (draftModel === undefined) {
      yield* this.#pool.run(request, "text-generation", signal, (model) => generate(model, request, signal));
      return;
    }
    const answer = (draft: LoadedModel) =>
      this.#pool.run(request, "text-generation", signal, (model) => generate(model, request, signal, draft));
    const choice = { model: draftModel, device: request.device, source: request.source };
    let guessing = false;
    for await (const event of this.#pool.run(choice, "text-generation", signal, answer)) {
      // Of two models, callers hear of the one that answers.
      if (event.type === "ready" && !guessing) guessing = true;
      else yield event;
    }
  }

  /** Turns texts into vectors, streaming, in the order of the input. */
  async *embed(request: EmbedRequest, signal?: AbortSignal): AsyncGenerator<EmbedEvent> {
    if (this.#hosts) return yield* this.#hosts.run("embed", request, signal);
    const { embed } = await import("./tasks/feature-extraction.js");
    yield* this.#pool.run(request, "feature-extraction", signal, (model) => embed(model, request, signal));
  }

  /** Says which labels fit texts or pairs of texts, in the order of the input. */
  async *classify(request: ClassifyRequest, signal?: AbortSignal): AsyncGenerator<ClassifyEvent> {
    if (this.#hosts) return yield* this.#hosts.run("classify", request, signal);
    const { classify } = await import("./tasks/text-classification.js");
    yield* this.#pool.run(request, "text-classification", signal, (model) =>
      classify(model, request, signal),
    );
  }

  /** Scores documents by how well they answer a query, in the order of the documents. */
  async *rank(request: RankRequest, signal?: AbortSignal): AsyncGenerator<RankEvent> {
    if (this.#hosts) return yield* this.#hosts.run("rank", request, signal);
    const { rank } = await import("./tasks/text-ranking.js");
    yield* this.#pool.run(request, "text-ranking", signal, (model) => rank(model, request, signal));
  }

  /** Finds the entities of texts: which stretches are of which label. */
  async *classifyTokens(
    request: ClassifyTokensRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<ClassifyTokensEvent> {
    if (this.#hosts) return yield* this.#hosts.run("classifyTokens", request, signal);
    const { classifyTokens } = await import("./tasks/token-classification.js");
    yield* this.#pool.run(request, "token-classification", signal, (model) =>
      classifyTokens(model, request, signal),
    );
  }

  /** Finds the part of each context that answers its question. */
  async *answerQuestions(
    request: AnswerQuestionsRequest,
    signal?: AbortSignal,
  ): AsyncGenerator<AnswerQuestionsEvent> {
    if (this.#hosts) return yield* this.#hosts.run("answerQuestions", request, signal);
    const { answerQuestions } = await import("./tasks/question-answering.js");
    yield* this.#pool.run(request, "question-answering", signal, (model) =>
      answerQuestions(model, request, signal),
    );
  }

  /** Says which tokens fit the masks of texts. */
  async *fillMasks(request: FillMasksRequest, signal?: AbortSignal): AsyncGenerator<FillMasksEvent> {
    if (this.#hosts) return yield* this.#hosts.run("fillMasks", request, signal);
    const { fillMasks } = await import("./tasks/fill-mask.js");
    yield* this.#pool.run(request, "fill-mask", signal, (model) => fillMasks(model, request, signal));
  }

  /** Token ids of texts and conversations as a model reads them, in their order. Any model has a tokenizer. */
  async *tokenize(request: TokenizeRequest, signal?: AbortSignal): AsyncGenerator<TokenizeEvent> {
    if (this.#hosts) return yield* this.#hosts.run("tokenize", request, signal);
    const { tokenize } = await import("./tasks/tokens.js");
    yield* this.#pool.run(request, undefined, signal, (model) => tokenize(model, request, signal));
  }

  /** Texts of token ids, in their order. */
  async *detokenize(request: DetokenizeRequest, signal?: AbortSignal): AsyncGenerator<DetokenizeEvent> {
    if (this.#hosts) return yield* this.#hosts.run("detokenize", request, signal);
    const { detokenize } = await import("./tasks/tokens.js");
    yield* this.#pool.run(request, undefined, signal, (model) => detokenize(model, request, signal));
  }

  /** Loads a model before it is needed, for one task or its own first one: progress, then `ready`. */
  async *load(
    choice: ModelChoice,
    task?: string,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent | ReadyEvent> {
    yield* (this.#hosts ?? this.#pool).load(choice, task, signal);
  }

  /**
   * Takes a model out of memory once its requests have ended; new requests load it again. Returns how many there were:
   * one for each dtype, device and revision.
   */
  async unload(model: string): Promise<number> {
    return (this.#hosts ?? this.#pool).unload(model);
  }

  /** The models in memory, and those on their way there. */
  async ps(): Promise<RunningModel[]> {
    return (this.#hosts ?? this.#pool).running();
  }

  /** Brings a model here and builds its graph, like `load`, but does not load it; says what loading it will take. */
  async *prepare(
    choice: ModelChoice,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent, PreparedModel> {
    const { preparedModel } = await import("./host/memory-need.js");
    return preparedModel(yield* this.#pool.prepare(choice, signal));
  }

  /** Brings a model to this machine and, with a dtype, builds its graph. */
  async *pull(request: PullRequest, signal?: AbortSignal): AsyncGenerator<PullEvent> {
    const { pull } = await import("./pull.js");
    yield* pull(this.#pool, this.config, request, signal);
  }

  /** Writes a model as a folder of ONNX that other programs run: progress, then `done`. */
  async *export(request: ExportRequest, signal?: AbortSignal): AsyncGenerator<ExportEvent> {
    const { fetched, directory: built, manifest } = yield* this.#pool.prepare(request, signal);
    const { exportModel } = await import("./export/export.js");
    const { model, revision, dtype, source } = manifest;
    const weights = fetched.index ?? fetched.weights[0];
    const { directory, files } = yield* exportModel(
      {
        source: { model, revision, source, directory: fetched.directory, weights },
        directory: built,
        manifest,
        files: fetched.files,
      },
      request.to,
      signal,
    );
    yield { type: "done", model, revision, dtype, directory, files };
  }

  /** Measures how far number formats move a model from fp32: builds what is missing, progress, then `done`. */
  async *quality(request: QualityRequest, signal?: AbortSignal): AsyncGenerator<QualityEvent> {
    const { dtypes = ["int8", "int4"], ...choice } = request;
    const { drift } = await import("./quality/quality.js");
    const options = { threads: this.config.threads, signal };
    const reference = yield* this.#pool.prepare({ ...choice, dtype: "fp32" }, signal);
    const drifts: DriftReport[] = [];
    for (const dtype of dtypes) {
      const other = yield* this.#pool.prepare({ ...choice, dtype }, signal);
      drifts.push(yield* drift(reference, other, options));
    }
    yield { type: "done", drifts };
  }

  /** Models on this machine: downloads and built graphs. */
  async list(): Promise<LocalModel[]> {
    return listModels(this.config, this.#registry);
  }

  /** What a model on this machine can be asked, by its files. */
  async abilities(model: LocalModel): Promise<ModelAbilities> {
    const { abilitiesOf } = await import("./abilities.js");
    return abilitiesOf(model);
  }

  /** What a name means, without a look at files or the Hub. Throws model_not_found and invalid_request. */
  resolve(choice: Pick<ModelChoice, "model" | "allowPaths">): ResolvedName {
    const { id } = modelRef(this.#registry, choice);
    const known = this.#registry.resolve(id);
    return { model: id, aliases: known ? aliasesOf(known) : [], ...(known && { tasks: known.skill.tasks }) };
  }

  /** What is known of a model; what is not on the machine is asked of its source. */
  async info(model: string, signal?: AbortSignal): Promise<ModelInfo> {
    return modelInfo(this.#pool, this.config, this.#registry, model, signal);
  }

  /** Takes a model's files and graphs from the disk. */
  async remove(model: string): Promise<RemovedModel> {
    return removeModel(this.#pool, this.config, model);
  }

  /** Skills that match the query, and whether they run here. */
  async discover(query: DiscoverQuery): Promise<DiscoveredSkill[]> {
    const { discover } = await import("./discover.js");
    return discover(this.#registry, query);
  }

  /** Devices, memory and providers; why what doesn't work doesn't. */
  async hardware(): Promise<HardwareReport> {
    const [{ detectHardware }, { createMachine }, runtime] = await Promise.all([
      import("./hardware/report.js"),
      import("./hardware/machine.js"),
      import("./runtime/providers.js"),
    ]);
    const machine = createMachine({
      executionProviders: async () => runtime.executionProviders(),
      runtimeDevices: async () => runtime.runtimeDevices(),
      runtimeLibrary: async () => runtime.runtimeLibrary(),
    });
    return detectHardware(machine);
  }

  /** Releases the loaded models; their processes are gone then. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#hosts?.[Symbol.asyncDispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}

import { type Config, readConfig } from "./config.js";
import type { HardwareReport } from "./hardware/types.js";
import { listModels, modelInfo, removeModel } from "./inventory.js";
import { ModelPool } from "./model-pool.js";
import type {
  DiscoverQuery,
  EmbedEvent,
  EmbedRequest,
  GenerateEvent,
  GenerateRequest,
  LocalModel,
  ModelChoice,
  ModelInfo,
  PullEvent,
  PullRequest,
  RemovedModel,
} from "./requests.js";
import { openRegistry, type Registry } from "./skills/registry.js";
import type { DiscoveredSkill } from "./skills/types.js";

/**
 * The one facade: everything that commands and routes may ask of the core. Long work is an async generator of events;
 * leaving it early, or the signal, stops the work. Errors are HfmsError with a code of the table.
 */
export class Engine implements AsyncDisposable {
  readonly config: Config;
  readonly #registry: Registry;
  readonly #pool: ModelPool;

  private constructor(config: Config, registry: Registry) {
    this.config = config;
    this.#registry = registry;
    this.#pool = new ModelPool(config, registry);
  }

  /** Reads the skills; models are loaded when they are asked for. */
  static async open(config: Config = readConfig()): Promise<Engine> {
    return new Engine(config, await openRegistry(config.skillsDir ? [config.skillsDir] : []));
  }

  /** Continues a text or answers a conversation: notices and progress, `ready`, text as it comes, `done`. */
  async *generate(request: GenerateRequest, signal?: AbortSignal): AsyncGenerator<GenerateEvent> {
    const { generate } = await import("./tasks/text-generation.js");
    yield* this.#pool.run(request, "text-generation", signal, (model) => generate(model, request, signal));
  }

  /** Turns texts into vectors, streaming, in the order of the input. */
  async *embed(request: EmbedRequest, signal?: AbortSignal): AsyncGenerator<EmbedEvent> {
    const { embed } = await import("./tasks/feature-extraction.js");
    yield* this.#pool.run(request, "feature-extraction", signal, (model) => embed(model, request, signal));
  }

  /** Token ids of texts as a `raw` prompt has them, special tokens included. Loads the model where it is not. */
  async tokenize(
    { texts, ...choice }: ModelChoice & { texts: string[] },
    signal?: AbortSignal,
  ): Promise<number[][]> {
    const found: number[][] = [];
    const events = this.#pool.run(choice, undefined, signal, async function* (model) {
      for (const text of texts) yield model.tokenizer.encode(text, { addSpecialTokens: true });
    });
    for await (const event of events) if (Array.isArray(event)) found.push(event);
    return found;
  }

  /** Brings a model to this machine and, with a dtype, builds its graph. */
  async *pull(request: PullRequest, signal?: AbortSignal): AsyncGenerator<PullEvent> {
    const { pull } = await import("./pull.js");
    yield* pull(this.#pool, this.config, request, signal);
  }

  /** Models on this machine: downloads and built graphs. */
  async list(): Promise<LocalModel[]> {
    return listModels(this.config, this.#registry);
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

  /** Releases the loaded models. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

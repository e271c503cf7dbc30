import type { Config } from "./config.js";
import { readConfig } from "./config.js";
import { HfmsError } from "./errors.js";
import type { HardwareReport } from "./hardware/types.js";
import type {
  DiscoverQuery,
  EmbedEvent,
  EmbedRequest,
  GenerateEvent,
  GenerateRequest,
  LocalModel,
  ModelInfo,
  PullEvent,
  PullRequest,
  RemovedModel,
} from "./requests.js";
import type { DiscoveredSkill } from "./skills/types.js";

/** The one facade: everything that commands and routes may ask of the core. */
export class Engine implements AsyncDisposable {
  readonly config: Config;

  private constructor(config: Config) {
    this.config = config;
  }

  static async open(config: Config = readConfig()): Promise<Engine> {
    return new Engine(config);
  }

  generate(_request: GenerateRequest, _signal?: AbortSignal): AsyncGenerator<GenerateEvent> {
    throw new HfmsError("internal_error", "not built yet");
  }
  embed(_request: EmbedRequest, _signal?: AbortSignal): AsyncGenerator<EmbedEvent> {
    throw new HfmsError("internal_error", "not built yet");
  }
  pull(_request: PullRequest, _signal?: AbortSignal): AsyncGenerator<PullEvent> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async list(): Promise<LocalModel[]> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async info(_model: string, _signal?: AbortSignal): Promise<ModelInfo> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async remove(_model: string): Promise<RemovedModel> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async discover(_query: DiscoverQuery): Promise<DiscoveredSkill[]> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async hardware(): Promise<HardwareReport> {
    throw new HfmsError("internal_error", "not built yet");
  }
  async [Symbol.asyncDispose](): Promise<void> {}
}

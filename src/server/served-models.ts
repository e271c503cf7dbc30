import {
  type Engine,
  HfmsError,
  type ModelChoice,
  type NoticeEvent,
  type ProgressEvent,
  type ReadyEvent,
} from "../core/index.js";
import type { ServerConfig } from "./config/schema.js";
import type { LoadProgress } from "./load-progress.js";

type LoadEvent = NoticeEvent | ProgressEvent | ReadyEvent;

/** `keepAlive` of a model that stays until it is unloaded. */
const FOR_EVER = -1;

/** Looking at the disk for every request would cost more than embedding a text. */
const BELIEVED_MS = 10_000;

/** Which models requests may name, and how they are loaded. */
export class ServedModels {
  readonly #engine: Engine;
  readonly #config: ServerConfig;
  readonly #loading = new Map<string, LoadProgress>();
  /** Names that were found on the disk, and until when that is believed. */
  readonly #found = new Map<string, number>();

  constructor(engine: Engine, config: ServerConfig) {
    this.#engine = engine;
    this.#config = config;
  }

  /**
   * The choice that a request's `model` means: with the server's dtype and device. Paths are refused unless the operator
   * named them. Throws model_not_found and permission_denied.
   */
  choice(model: string, more: Pick<ModelChoice, "keepAlive"> = {}): ModelChoice {
    const { dtype, device, requireDevice, models, modelAccess } = this.#config;
    const listed = models.includes(model);
    if (!listed && modelAccess === "listed") {
      throw new HfmsError("model_not_found", `the model \`${model}\` is not served here`, {
        hint: `one of ${models.join(", ") || "no model at all"} is`,
        param: "model",
      });
    }
    return {
      model,
      dtype,
      device: device as ModelChoice["device"],
      requireDevice,
      // A folder of the server's machine is no model of the caller's.
      allowPaths: listed,
      ...more,
    };
  }

  /**
   * Throws model_not_found for a model that would have to be downloaded, where requests may not do that. Every use of a
   * choice comes after this.
   */
  async admit({ model }: ModelChoice): Promise<void> {
    const { modelAccess, models } = this.#config;
    if (modelAccess !== "local" || models.includes(model)) return;
    if ((this.#found.get(model) ?? 0) > performance.now()) return;
    // Neither a revision nor a size: `smollm2:360m` is an alias of its own.
    const names = [model, model.replace(/@.*$/, ""), model.replace(/[@:].*$/, "")];
    const here = await this.#engine.list();
    const isHere = here.some(({ model: id, aliases }) =>
      [id, ...aliases].some((name) => names.includes(name)),
    );
    if (isHere) {
      this.#found.set(model, performance.now() + BELIEVED_MS);
      return;
    }
    throw new HfmsError("model_not_found", `the model \`${model}\` is not on this machine`, {
      hint: "its operator can bring it with `hfms pull`, or let requests do so with --model-access any",
      param: "model",
    });
  }

  /** Loads the models of the start, one after the other, and keeps them. */
  async preload(signal: AbortSignal, onLoad: (event: LoadEvent) => void = () => {}): Promise<void> {
    for (const model of this.#config.models) {
      const choice = this.choice(model, { keepAlive: FOR_EVER });
      for await (const event of this.#engine.load(choice, undefined, signal)) onLoad(event);
    }
  }

  /** Goes on loading what a request could not wait for: from `progress` on, or from where that has come to. */
  keepLoading(choice: ModelChoice, progress: LoadProgress): LoadProgress {
    const key = JSON.stringify(choice);
    const begun = this.#loading.get(key);
    if (begun) return begun;
    this.#loading.set(key, progress);
    void this.#drain(choice, progress).finally(() => this.#loading.delete(key));
    return progress;
  }

  async #drain(choice: ModelChoice, progress: LoadProgress): Promise<void> {
    try {
      for await (const event of this.#engine.load(choice))
        if (event.type === "progress") progress.hear(event);
    } catch {
      // The next request gets the error.
    }
  }
}

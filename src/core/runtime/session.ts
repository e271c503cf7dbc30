import { HfmsError, throwIfAborted } from "../errors.js";
import { elementCount, elementTypes, type Tensor } from "../tensor.js";
import { type OrtLibrary, ortLibrary, type Pointer } from "./ort-api.js";

export interface SessionOptions {
  /** Intra-op threads, the calling one included. */
  threads?: number;
  /** Keep freed memory in ORT's arena. Off, memory goes back to the system after each run. Default true. */
  arena?: boolean;
  /** Plan memory for fixed shapes. Default false: sequence lengths change with every run. */
  memoryPattern?: boolean;
  /** Graph optimisation. Default "all". */
  optimization?: "none" | "basic" | "extended" | "all";
  /** Config entries, by ONNX Runtime's keys (onnxruntime_session_options_config_keys.h). */
  config?: Record<string, string>;
  /** Prefix of a profile file (Chrome trace format). */
  profile?: string;
}

const optimizationLevels = { none: 0, basic: 1, extended: 2, all: 99 };
const LOG_FATAL = 4; // errors come back as statuses; the library itself stays silent
const ALLOCATOR_DEVICE = 0;
const MEMORY_DEFAULT = 0;

/**
 * A loaded graph. Runs are asynchronous (a thread of libuv's pool drives ORT's own), one at a time for a binding.
 * Every native object is released exactly once, by `dispose` of its owner.
 */
export class Session implements AsyncDisposable {
  readonly #ort: OrtLibrary;
  readonly #env: Pointer;
  readonly #memory: Pointer;
  readonly #session: Pointer;
  readonly #bindings = new Set<Binding>();
  #disposal: Promise<void> | undefined;

  private constructor(ort: OrtLibrary, env: Pointer, memory: Pointer, session: Pointer) {
    this.#ort = ort;
    this.#env = env;
    this.#memory = memory;
    this.#session = session;
  }

  /** Loads a graph off the event loop. Throws runtime_error with ORT's words when it can't. */
  static async create(modelPath: string, options: SessionOptions = {}): Promise<Session> {
    const ort = ortLibrary();
    // ORT counts references to its one environment, so each session may hold its own.
    const env = ort.make("CreateEnv", LOG_FATAL, "hfms");
    let settings: Pointer = null;
    let memory: Pointer = null;
    try {
      ort.call("DisableTelemetryEvents", env);
      memory = ort.make("CreateCpuMemoryInfo", ALLOCATOR_DEVICE, MEMORY_DEFAULT);
      settings = createSessionOptions(ort, options);
      const session = await ort.makeAsync("CreateSession", env, modelPath, settings);
      return new Session(ort, env, memory, session);
    } catch (error) {
      if (memory) ort.get("ReleaseMemoryInfo", memory);
      ort.get("ReleaseEnv", env);
      throw error;
    } finally {
      if (settings) ort.get("ReleaseSessionOptions", settings);
    }
  }

  /** A set of bound inputs and outputs. Several may exist; each runs one at a time. */
  createBinding(): Binding {
    if (this.#disposal) throw new HfmsError("internal_error", "the session is disposed");
    const binding = new Binding(this.#ort, this.#session, this.#memory, () => this.#bindings.delete(binding));
    this.#bindings.add(binding);
    return binding;
  }

  /** Stops runs that are under way, waits for them to end, and releases everything. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#release();
    return this.#disposal;
  }

  async #release(): Promise<void> {
    await Promise.all([...this.#bindings].map((binding) => binding[Symbol.asyncDispose]()));
    this.#ort.get("ReleaseSession", this.#session);
    this.#ort.get("ReleaseMemoryInfo", this.#memory);
    this.#ort.get("ReleaseEnv", this.#env);
  }
}

function createSessionOptions(ort: OrtLibrary, options: SessionOptions): Pointer {
  const settings = ort.make("CreateSessionOptions");
  try {
    if (options.threads) ort.call("SetIntraOpNumThreads", settings, options.threads);
    ort.call("SetInterOpNumThreads", settings, 1);
    if (options.arena === false) ort.call("DisableCpuMemArena", settings);
    if (!options.memoryPattern) ort.call("DisableMemPattern", settings);
    ort.call("SetSessionGraphOptimizationLevel", settings, optimizationLevels[options.optimization ?? "all"]);
    // A thread that spins between two steps takes its core's time from the sampling: 8 % of a step on two cores.
    const config = { "session.force_spinning_stop": "1", ...options.config };
    for (const [key, value] of Object.entries(config)) {
      ort.call("AddSessionConfigEntry", settings, key, value);
    }
    if (options.profile) ort.call("EnableProfiling", settings, options.profile);
    return settings;
  } catch (error) {
    ort.get("ReleaseSessionOptions", settings);
    throw error;
  }
}

/** Tensors bound to a session's names: the runtime reads and writes their memory in place, nothing is copied. */
export class Binding implements AsyncDisposable {
  readonly #ort: OrtLibrary;
  readonly #session: Pointer;
  readonly #memory: Pointer;
  readonly #binding: Pointer;
  readonly #runOptions: Pointer;
  readonly #onRelease: () => void;
  /** The bound memory by name, so that it stays reachable for as long as native code may touch it. */
  readonly #bound = new Map<string, Tensor>();
  #running: Promise<void> | undefined;
  #disposal: Promise<void> | undefined;

  constructor(ort: OrtLibrary, session: Pointer, memory: Pointer, onRelease: () => void) {
    this.#ort = ort;
    this.#session = session;
    this.#memory = memory;
    this.#onRelease = onRelease;
    this.#binding = ort.make("CreateIoBinding", session);
    try {
      this.#runOptions = ort.make("CreateRunOptions");
    } catch (error) {
      ort.get("ReleaseIoBinding", this.#binding);
      throw error;
    }
  }

  input(name: string, tensor: Tensor): this {
    this.#bind("BindInput", name, tensor);
    return this;
  }

  /** The tensor's memory receives the output; its shape must be the one that the run produces. */
  output(name: string, tensor: Tensor): this {
    this.#bind("BindOutput", name, tensor);
    return this;
  }

  /** Runs the graph once. An abort ends it at the next node and throws `aborted`. */
  async run(signal?: AbortSignal): Promise<void> {
    this.#requireIdle();
    throwIfAborted(signal);
    const terminate = (): void => this.#ort.call("RunOptionsSetTerminate", this.#runOptions);
    signal?.addEventListener("abort", terminate, { once: true });
    this.#running = this.#ort.callAsync("RunWithBinding", this.#session, this.#runOptions, this.#binding);
    try {
      await this.#running;
    } finally {
      this.#running = undefined;
      signal?.removeEventListener("abort", terminate);
      if (signal?.aborted && !this.#disposal) this.#ort.call("RunOptionsUnsetTerminate", this.#runOptions);
    }
  }

  /** Stops a run that is under way, waits for it, and releases the native objects. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposal ??= this.#release();
    return this.#disposal;
  }

  async #release(): Promise<void> {
    if (this.#running) {
      this.#ort.call("RunOptionsSetTerminate", this.#runOptions);
      await this.#running.catch(() => {}); // its own caller hears of the failure
    }
    this.#ort.get("ReleaseIoBinding", this.#binding);
    this.#ort.get("ReleaseRunOptions", this.#runOptions);
    this.#bound.clear();
    // Only now: the session waits for the bindings that it knows of before it goes itself.
    this.#onRelease();
  }

  /** Memory that a run reads or writes must not be replaced, because nothing would keep it reachable. */
  #requireIdle(): void {
    if (this.#disposal) throw new HfmsError("internal_error", "the binding is disposed");
    if (this.#running) throw new HfmsError("internal_error", "the binding is already running");
  }

  #bind(member: "BindInput" | "BindOutput", name: string, tensor: Tensor): void {
    this.#requireIdle();
    const { data, shape } = tensor;
    if (data.length < elementCount(shape)) {
      throw new HfmsError("internal_error", `${name}: ${data.length} elements can't hold [${shape}]`);
    }
    const { onnx, bytes } = elementTypes[tensor.type];
    const dimensions = BigInt64Array.from(shape, BigInt);
    const value = this.#ort.make(
      "CreateTensorWithDataAsOrtValue",
      this.#memory,
      data,
      elementCount(shape) * bytes,
      dimensions,
      shape.length,
      onnx,
    );
    try {
      this.#ort.call(member, this.#binding, name, value);
    } finally {
      // The binding holds its own reference to the value.
      this.#ort.get("ReleaseValue", value);
    }
    this.#bound.set(name, tensor);
  }
}

import type { Config } from "../config.js";
import { HfmsError, throwIfAborted } from "../errors.js";
import { createMachine } from "../hardware/machine.js";
import { readMemory } from "../hardware/memory.js";
import { identifyModel, type ModelIdentity, modelRef } from "../model-identity.js";
import type {
  EmbedInput,
  EmbedRequest,
  ModelChoice,
  NoticeEvent,
  ProgressEvent,
  ReadyEvent,
  RunningModel,
} from "../requests.js";
import type { Registry } from "../skills/registry.js";
import { admit } from "./admission.js";
import { Host } from "./host.js";
import { HostCrash } from "./host-process.js";
import { isShortList } from "./input-flow.js";
import { describeBytes } from "./memory-need.js";
import type { Calls } from "./protocol.js";
import { ReplayInput } from "./replay-input.js";

const KEEP_ALIVE_MS = 300_000;
const MEMORY_SHARE = 0.8;
/** A model that needs the memory of models in use waits so long for it. */
const ROOM_PATIENCE_MS = 30_000;
/** How often a request is begun, at most, when the host dies under it. */
const MAX_ATTEMPTS = 3;

/** By the Hub's pipeline tag; a tokenizer has every model. */
const tasks = {
  generate: "text-generation",
  embed: "feature-extraction",
  classify: "text-classification",
  rank: "text-ranking",
  classifyTokens: "token-classification",
  answerQuestions: "question-answering",
  fillMasks: "fill-mask",
  tokenize: undefined,
  detokenize: undefined,
} as const;
/** SmolLM2's steps are as fast as with endless waiting, and two hosts together as fast as with none. */
const SPIN_US = 20;

type Task = keyof typeof tasks;

/**
 * One process for each model, within a budget of memory: loaded once for all who ask, unloaded when idle for long or
 * when another model needs the room, started again when it dies. A request that has sent nothing yet when that happens
 * is begun again.
 */
export class HostPool implements AsyncDisposable {
  readonly #config: Config;
  readonly #registry: Registry;
  /** By key; several keys may lead to one host. */
  readonly #hosts = new Map<string, Host>();
  /** Also those that no request can find any more, until their processes are gone. */
  readonly #alive = new Set<Host>();
  #changed = Promise.withResolvers<void>();
  readonly #budget: Promise<number>;
  #closed = false;

  constructor(config: Config, registry: Registry) {
    this.#config = config;
    this.#registry = registry;
    this.#budget = readBudget(config);
  }

  /** Answers a request in the model's own process. */
  async *run<T extends Task>(
    task: T,
    request: Calls[T]["request"],
    signal?: AbortSignal,
  ): AsyncGenerator<Calls[T]["event"] | NoticeEvent | ProgressEvent> {
    checkKeepAlive(request);
    const input = task === "embed" ? replayable((request as EmbedRequest).input) : undefined;
    let begun = false;
    let announced = false;
    try {
      const identity = await identifyModel(this.#registry, request);
      if (identity.device.notice) yield { type: "notice", message: identity.device.notice };
      for (let attempt = 1; ; attempt++) {
        const start = performance.now();
        using use = yield* this.#use(identity, request, tasks[task], signal);
        const { host, process, waited } = use;
        const whole = { ...request, ...host.choice, ...(input && { input }) } as Calls[T]["request"];
        try {
          for await (const event of process.call(task, whole, signal)) {
            if (event.type === "ready") {
              if (announced) continue;
              announced = true;
              const loadMs = waited ? performance.now() - start : 0;
              yield { ...event, deviceReason: identity.device.reason, loadMs };
              continue;
            }
            if (event.type !== "notice" && event.type !== "progress") {
              begun = true;
              if (input instanceof ReplayInput) input.release();
            }
            yield event;
          }
          host.succeeded();
          return;
        } catch (error) {
          if (!(error instanceof HostCrash)) throw error;
          if (this.#closed) throw closed();
          const replay =
            !begun && attempt < MAX_ATTEMPTS && !(input instanceof ReplayInput && !input.replayable);
          if (!replay) throw crashed(identity, error, begun);
          yield {
            type: "notice",
            message: `${identity.ref.id}: ${error.message}; the request is begun again`,
          };
        }
      }
    } finally {
      if (input instanceof ReplayInput) input.close();
    }
  }

  /** Loads a model before it is needed; `keepAlive` of the choice says how long it stays. */
  async *load(
    choice: ModelChoice,
    task?: string,
    signal?: AbortSignal,
  ): AsyncGenerator<NoticeEvent | ProgressEvent | ReadyEvent> {
    checkKeepAlive(choice);
    const identity = await identifyModel(this.#registry, choice);
    const { reason: deviceReason, notice } = identity.device;
    if (notice) yield { type: "notice", message: notice };
    const start = performance.now();
    using use = yield* this.#use(identity, choice, task, signal);
    yield { ...use.ready, deviceReason, loadMs: use.waited ? performance.now() - start : 0 };
  }

  /** Ends a model's processes when their requests have ended; new requests load it anew. Returns how many there were. */
  async unload(model: string): Promise<number> {
    const { id } = modelRef(this.#registry, { model });
    const leaving = [...this.#alive].filter(({ identity }) => identity.ref.id === id);
    await Promise.all(leaving.map((host) => host.leave()));
    return leaving.length;
  }

  /** What is loaded, or being loaded. */
  async running(): Promise<RunningModel[]> {
    return Promise.all([...this.#alive].map((host) => host.describe()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#hosts.clear();
    await Promise.all([...this.#alive].map((host) => host.leave({ now: true })));
  }

  /** A host that is ready, and counted as in use from the moment that it is waited for. */
  async *#use(
    identity: ModelIdentity,
    choice: ModelChoice,
    task: string | undefined,
    signal: AbortSignal | undefined,
  ) {
    for (;;) {
      throwIfAborted(signal);
      if (this.#closed) throw closed();
      const host = this.#host(identity, choice);
      const use = host.use(choice.keepAlive);
      try {
        const waiting = host.ready(task, signal);
        let waited = false;
        for (;;) {
          const step = await waiting.next();
          if (!step.done) {
            waited = true;
            yield step.value;
            continue;
          }
          if ("gone" in step.value) this.#unlist(host);
          else if (step.value.twin) this.#hosts.set(identity.key, step.value.twin);
          else return { ...step.value, host, waited, [Symbol.dispose]: () => use[Symbol.dispose]() };
          break;
        }
      } catch (error) {
        use[Symbol.dispose]();
        throw error;
      }
      use[Symbol.dispose]();
    }
  }

  #host(identity: ModelIdentity, choice: ModelChoice): Host {
    const known = this.#hosts.get(identity.key);
    if (known) return known;
    const host = new Host({
      identity,
      choice,
      config: this.#budget.then((budget) => hostConfig(this.#config, budget)),
      keepAlive: this.#config.keepAlive ?? KEEP_ALIVE_MS,
      twinOf: (one) => this.#twinOf(one),
      admit: (one, need, signal) => this.#admit(one, need, signal),
      changed: () => this.#tell(),
      unlist: (one) => this.#unlist(one),
      forget: (one) => this.#forget(one),
    });
    this.#hosts.set(identity.key, host);
    this.#alive.add(host);
    return host;
  }

  #twinOf(host: Host): Host | undefined {
    return [...new Set(this.#hosts.values())].find(
      (other) =>
        other !== host &&
        other.memory > 0 &&
        !other.leaving &&
        other.prepared?.directory === host.prepared?.directory &&
        other.identity.device.device === host.identity.device.device,
    );
  }

  async #admit(host: Host, need: number, signal: AbortSignal): Promise<void> {
    const budget = await this.#budget;
    const deadline = performance.now() + ROOM_PATIENCE_MS;
    for (;;) {
      await Promise.all([...this.#alive].map((other) => other.measure()));
      throwIfAborted(signal);
      // From here to the reservation nothing may wait, or two could take the same room.
      const others = [...this.#alive].filter((other) => other !== host);
      const decision = admit(need, others, budget);
      if (decision.kind === "admit") {
        host.memory = need;
        await Promise.all(decision.victims.map((victim) => victim.leave()));
        return;
      }
      const left = deadline - performance.now();
      if (decision.kind === "refuse" || left <= 0) throw noRoom(host, need, budget, others, decision);
      await this.#change(left, signal);
    }
  }

  #forget(host: Host): void {
    this.#unlist(host);
    this.#alive.delete(host);
    this.#tell();
  }

  #unlist(host: Host): void {
    for (const [key, known] of this.#hosts) if (known === host) this.#hosts.delete(key);
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  async #change(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, timeoutMs);
    const stop = (): void => resolve();
    signal.addEventListener("abort", stop, { once: true });
    await Promise.race([promise, this.#changed.promise]);
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  }
}

async function readBudget({ memoryBudget = MEMORY_SHARE }: Config): Promise<number> {
  if (memoryBudget > 1) return memoryBudget;
  const machine = createMachine({ executionProviders: async () => [], runtimeDevices: async () => [] });
  return (await readMemory(machine)).total * memoryBudget;
}

/**
 * Every host may use all cores, because most of the time one of them is busy. When several are, threads that wait for
 * each other busily take the time of those that are waited for (half as fast together, bench/hosts.ts); when one is,
 * waking threads that sleep takes a third of its time. The waits inside of a run are short: so they wait for moments.
 */
function hostConfig(config: Config, budget: number): Config {
  return { ...config, spin: config.spin ?? SPIN_US, cacheBytes: config.cacheBytes ?? budget / 4 };
}

/** A short list goes whole with each try; anything longer is read as the host wants it, and kept until it answers. */
function replayable(input: EmbedRequest["input"]): EmbedInput[] | ReplayInput<EmbedInput> {
  return isShortList(input) ? input : new ReplayInput(input);
}

function checkKeepAlive({ keepAlive }: ModelChoice): void {
  if (keepAlive === undefined || (typeof keepAlive === "number" && !Number.isNaN(keepAlive))) return;
  throw new HfmsError("invalid_request", `keepAlive is ${keepAlive}; it is a number of milliseconds`, {
    hint: "-1 keeps the model until it is unloaded, 0 no longer than needed",
    param: "keepAlive",
  });
}

function closed(): HfmsError {
  return new HfmsError("aborted", "the engine was closed");
}

function crashed({ ref }: ModelIdentity, crash: HostCrash, begun: boolean): HfmsError {
  const when = begun ? "in the middle of an answer" : `under ${MAX_ATTEMPTS} tries of a request`;
  const hint =
    crash.exit.signal === "SIGKILL"
      ? "the system kills processes when memory runs out; another request may succeed"
      : "another request may succeed";
  return new HfmsError("runtime_error", `${ref.id} failed ${when}: ${crash.message}`, { hint, cause: crash });
}

function noRoom(
  host: Host,
  need: number,
  budget: number,
  others: readonly Host[],
  decision: { kind: "wait" } | { kind: "refuse"; why: "budget" | "pinned" },
): HfmsError {
  const name = host.prepared?.model ?? host.choice.model;
  const wants = `${name} needs about ${describeBytes(need)} of memory`;
  if (decision.kind === "refuse" && decision.why === "budget") {
    return new HfmsError("out_of_memory", `${wants}; models may take ${describeBytes(budget)} here`, {
      hint: "use a smaller model or dtype, or raise HFMS_MEMORY",
      param: "model",
    });
  }
  const pinned = decision.kind === "refuse";
  const holders = others
    .filter((other) => (pinned ? other.pinned : other.busy || other.leaving || other.pinned))
    .map((other) => `${other.prepared?.model ?? other.choice.model} (${describeBytes(other.memory)})`);
  const state = pinned ? "pinned" : "in use";
  return new HfmsError(
    "out_of_memory",
    `${wants}; of the ${describeBytes(budget)} that models may take, ${state} are ${holders.join(", ")}`,
    { hint: pinned ? "unload one of them" : "try again when they are done", param: "model" },
  );
}

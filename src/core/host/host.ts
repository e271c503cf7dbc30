import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config.js";
import { HfmsError } from "../errors.js";
import type { ModelIdentity } from "../model-identity.js";
import type { ModelChoice, PreparedModel, ReadyEvent, RunningModel } from "../requests.js";
import { HostCrash, type HostExit, HostProcess } from "./host-process.js";
import { Loading, type LoadingEvent } from "./loading.js";
import { PROCESS_BYTES } from "./memory-need.js";
import { type CrashRecord, restartAfter } from "./restart.js";

/** What a host asks of the pool that it lives in. */
export interface HostOptions {
  identity: ModelIdentity;
  choice: ModelChoice;
  config: Promise<Config>;
  keepAlive: number;
  /** The host that already has this graph on this device, under another name. */
  twinOf(host: Host): Host | undefined;
  /** Ends when there is room; throws out_of_memory when there will be none. */
  admit(host: Host, need: number, signal: AbortSignal): Promise<void>;
  /** Somebody who waits for room may want to look again. */
  changed(): void;
  /** It must not be found any more; requests that have it keep it. */
  unlist(host: Host): void;
  /** Nothing is left of it. */
  forget(host: Host): void;
}

/** What waiting for a host comes to: a process to ask, or another host that is the same. */
type Brought = { process: HostProcess; ready: ReadyEvent; twin?: undefined } | { twin: Host };
/** This one is no use, and not for a reason that concerns the caller: another one must be made. */
type Gone = { gone: true };

const PING_TIMEOUT_MS = 500;
/** Longer timers overflow. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One model and the process that runs it: brought when asked for, restarted when it dies, gone when nobody needs it. */
export class Host {
  readonly identity: ModelIdentity;
  /** What the process is asked to load, and every request to it names. */
  readonly choice: ModelChoice;
  /** Bytes that count against the budget. */
  memory = 0;
  lastUsed = now();
  leaving = false;
  prepared: PreparedModel | undefined;
  readonly #options: HostOptions;
  #state: RunningModel["state"] = "loading";
  #process: HostProcess | undefined;
  #ready: ReadyEvent | undefined;
  #loading: (Loading<Brought> & { task?: string }) | undefined;
  #crashes: CrashRecord = { count: 0, lastAt: 0 };
  #reason: string | undefined;
  #since = Date.now();
  #inUse = 0;
  #keepAlive: number;
  #expiry: NodeJS.Timeout | undefined;
  /** The estimate counts until a request has shown what the model really takes. */
  #proven = false;
  #idle: (() => void) | undefined;
  #departure: Promise<void> | undefined;

  constructor(options: HostOptions) {
    this.#options = options;
    this.identity = options.identity;
    this.#keepAlive = options.keepAlive;
    const { ref, device } = options.identity;
    const { choice } = options;
    // Another folder may be the current one by the time that a host is started again.
    const model = ref.id.startsWith("/") ? ref.id : choice.model;
    const { dtype, kvCacheDtype, source, revision } = choice;
    this.choice = { model, dtype, kvCacheDtype, device: device.device, source, revision };
  }

  get busy(): boolean {
    return this.#inUse > 0;
  }

  get pinned(): boolean {
    return this.#keepAlive < 0;
  }

  /** Until it is disposed of, the host is in use. `keepAlive` is how long it stays after that. */
  use(keepAlive?: number): Disposable {
    if (keepAlive !== undefined) this.#keepAlive = keepAlive;
    this.#inUse++;
    this.#schedule();
    return {
      [Symbol.dispose]: () => {
        this.lastUsed = now();
        if (--this.#inUse > 0) return;
        this.#idle?.();
        this.#schedule();
        this.#options.changed();
      },
    };
  }

  /** Ends when the model is ready; many may wait at once. Throws runtime_error when it keeps dying. */
  async *ready(task: string | undefined, signal?: AbortSignal): AsyncGenerator<LoadingEvent, Brought | Gone> {
    if (this.#state === "ready" && this.#process && this.#ready)
      return { process: this.#process, ready: this.#ready };
    this.#loading ??= this.#load(task);
    if (this.#loading.stopped) return { gone: true };
    const loading = this.#loading;
    try {
      return yield* loading.follow(signal);
    } catch (error) {
      // It was begun for another task than ours.
      const foreign =
        error instanceof HfmsError && error.code === "unsupported_task" && loading.task !== task;
      if (!foreign) throw error;
      return { gone: true };
    }
  }

  /** A request was answered: whatever made the process die before is over. */
  succeeded(): void {
    this.#crashes = { count: 0, lastAt: 0 };
    this.#proven = true;
  }

  /** Ends the process when nobody uses it any more, and at once with `now`. */
  leave({ now = false } = {}): Promise<void> {
    this.leaving = true;
    this.#options.unlist(this);
    clearTimeout(this.#expiry);
    this.#departure ??= this.#depart(now);
    if (now) this.#idle?.();
    return this.#departure;
  }

  /** What the process takes now goes in place of the estimate; until it has answered a request, the larger of both. */
  async measure(): Promise<void> {
    const process = this.#process;
    if (this.#state !== "ready" || !process) return;
    const memory = await process.ping(PING_TIMEOUT_MS);
    if (memory === undefined || this.#process !== process) return;
    this.memory = this.#proven ? memory : Math.max(memory, this.prepared?.memoryNeed ?? 0);
  }

  async describe(): Promise<RunningModel> {
    const { device } = this.identity.device;
    const memory = this.#process && (await this.#process.ping(PING_TIMEOUT_MS));
    const pid = this.#process?.pid;
    const resting = this.#inUse === 0 && !this.pinned;
    return {
      model: this.prepared?.model ?? this.choice.model,
      revision: this.prepared?.revision,
      dtype: this.prepared?.dtype ?? this.choice.dtype ?? "auto",
      ...(this.choice.kvCacheDtype === "int8" && { kvCacheDtype: "int8" as const }),
      device,
      state: this.#state,
      ...(this.#reason !== undefined && { reason: this.#reason }),
      ...(pid !== undefined && { pid, ...(memory === undefined ? { unresponsive: true } : { memory }) }),
      since: this.#since,
      lastUsed: this.lastUsed,
      inUse: this.#inUse,
      ...(resting && { keepAliveUntil: this.lastUsed + this.#keepAlive }),
      pinned: this.pinned,
    };
  }

  #load(task: string | undefined, ownSake = false): Loading<Brought> & { task?: string } {
    const loading = Object.assign(
      new Loading((report, signal) => this.#bring(task, report, signal), { ownSake }),
      {
        task,
      },
    );
    const end = (): void => {
      if (this.#loading === loading) this.#loading = undefined;
    };
    loading.result.then(
      ({ twin }) => {
        end();
        if (twin) this.#options.forget(this);
      },
      (error) => {
        end();
        // A host that keeps dying is remembered, so that the next request hears of it at once.
        if (this.#state !== "failed" || !(error instanceof HfmsError && error.code === "runtime_error"))
          this.#options.forget(this);
        this.#schedule();
      },
    );
    return loading;
  }

  /** From nothing to a process that has the model; a process that dies on the way is followed by another one. */
  async #bring(
    task: string | undefined,
    report: (event: LoadingEvent) => void,
    signal: AbortSignal,
  ): Promise<Brought> {
    for (;;) {
      await this.#pause(signal);
      if (this.#state === "failed") this.#state = "restarting";
      const process = await HostProcess.start({
        config: await this.#options.config,
        title: `hfms host ${this.choice.model}`,
        onExit: (exit) => this.#exited(process, exit),
      });
      this.#process = process;
      this.memory = PROCESS_BYTES;
      try {
        const prepared = await drain(process.call("prepare", this.choice, signal), report);
        this.prepared = prepared;
        const twin = this.#options.twinOf(this);
        if (twin) {
          await this.#end();
          return { twin };
        }
        await this.#options.admit(this, prepared.memoryNeed, signal);
        let ready: ReadyEvent | undefined;
        await drain(process.call("load", { choice: this.choice, task }, signal), (event) => {
          if (event.type === "ready") ready = event;
          else report(event);
        });
        this.#ready = ready as ReadyEvent | undefined;
        if (!this.#ready) throw new HfmsError("internal_error", "the host loaded nothing");
        this.#state = "ready";
        this.#reason = undefined;
        this.#since = Date.now();
        return { process, ready: this.#ready };
      } catch (error) {
        await this.#end();
        if (!(error instanceof HostCrash)) throw error;
        if (restartAfter(this.#crashes, Date.now()).kind === "start")
          report({ type: "notice", message: `${this.choice.model}: ${error.message}; it is started again` });
      }
    }
  }

  /** Waits as long as the last crashes say. Throws runtime_error when they say that it's enough. */
  async #pause(signal: AbortSignal): Promise<void> {
    const decision = restartAfter(this.#crashes, Date.now());
    if (decision.kind === "refuse") {
      this.#state = "failed";
      const seconds = Math.ceil((decision.until - Date.now()) / 1000);
      throw new HfmsError(
        "runtime_error",
        `${this.choice.model} failed ${this.#crashes.count} times in a row: ${this.#reason}`,
        { hint: `it is tried again in ${seconds} s`, param: "model" },
      );
    }
    const wait = decision.at - Date.now();
    if (wait > 0) {
      await sleep(wait, undefined, { signal }).catch((cause) => {
        throw new HfmsError("aborted", "stopped", { cause });
      });
    }
  }

  #exited(process: HostProcess, exit: HostExit): void {
    if (this.#process !== process) return;
    const wasReady = this.#state === "ready";
    this.#process = undefined;
    this.#ready = undefined;
    this.memory = 0;
    this.#proven = false;
    this.#options.changed();
    if (this.leaving) return;
    this.#crashes = { count: this.#crashes.count + 1, lastAt: Date.now() };
    this.#reason = new HostCrash(exit).message;
    this.#state = "restarting";
    if (!wasReady || this.#loading) return;
    // Somebody wanted it to stay.
    if (this.#keepAlive !== 0 || this.busy) this.#loading = this.#load(undefined, true);
    else this.#options.forget(this);
  }

  async #end(): Promise<void> {
    const process = this.#process;
    this.#process = undefined;
    await process?.[Symbol.asyncDispose]();
    this.memory = 0;
    this.#options.changed();
  }

  async #depart(now: boolean): Promise<void> {
    if (this.#inUse > 0 && !now) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#loading?.stop();
    await this.#end();
    this.#options.forget(this);
  }

  /** An idle host goes when its time is over. */
  #schedule(): void {
    clearTimeout(this.#expiry);
    if (this.#inUse > 0 || this.pinned || this.leaving) return;
    const left = Math.max(0, this.lastUsed + this.#keepAlive - Date.now());
    this.#expiry = setTimeout(() => void this.leave(), Math.min(left, LONGEST_TIMER_MS));
    this.#expiry.unref();
  }
}

/** Date.now() with fractions: two uses in one millisecond have an order, too. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function drain<E, R>(events: AsyncGenerator<E, R>, report: (event: E) => void): Promise<R> {
  for (;;) {
    const step = await events.next();
    if (step.done) return step.value;
    report(step.value);
  }
}

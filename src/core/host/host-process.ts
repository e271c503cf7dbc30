import { type ChildProcess, fork } from "node:child_process";
import { existsSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { fileURLToPath } from "node:url";
import { type Config, childEnvironment } from "../config.js";
import { aborted, HfmsError, throwIfAborted } from "../errors.js";
import { CallStream } from "./call-stream.js";
import { feedInput, type InputFlow, isShortList } from "./input-flow.js";
import type { Calls, FromHost, Method, ToHost } from "./protocol.js";
import { fromWire } from "./wire-error.js";

/** How a host ended that nobody told to. */
export interface HostExit {
  pid: number;
  code: number | null;
  signal: NodeJS.Signals | null;
  /** What it wrote to stderr: the beginning and the end. */
  stderr: string;
}

/** A call's host died under it. It never leaves the engine: callers are served again or hear a `runtime_error`. */
export class HostCrash extends Error {
  readonly exit: HostExit;

  constructor(exit: HostExit) {
    super(describeExit(exit));
    this.exit = exit;
  }
}

/** "process 4711 was killed by SIGKILL"; "process 4711 ended with code 1: FATAL ERROR: …". */
function describeExit({ pid, code, signal, stderr }: HostExit): string {
  const how = signal ? `was killed by ${signal}` : `ended with code ${code}`;
  const lines = stderr
    .split("\n")
    .map((line) => line.replace(/^[\s#]+/, "").trimEnd())
    .filter(Boolean);
  // Behind the complaint often comes a native stack, or Node's advice.
  const complaint = lines.find((line) => /\b(fatal|error|assert\w*|terminate|exception|panic)\b/i.test(line));
  const said = complaint ?? lines.at(-1);
  return `process ${pid} ${how}${said ? `: ${said.slice(0, MAX_LINE)}` : ""}`;
}

const MAX_LINE = 300;
/** Of what a host writes, its beginning and its end are kept, so many characters of each. */
const MAX_STDERR = 2000;
/** A grandchild may hold stderr open; what came until then is enough. */
const STDERR_PATIENCE_MS = 500;
/** For an orderly end: locks and half files. A host that is stuck is killed. */
const CLOSE_PATIENCE_MS = 2000;

export interface HostProcessOptions {
  config: Config;
  /** Of the process, as the system's tools show it. */
  title: string;
  /** Called once, before the calls that are under way hear of it. */
  onExit?: (exit: HostExit) => void;
}

/** One call that waits for the host. */
interface Pending {
  stream: CallStream;
  input?: InputFlow;
}

/**
 * The client of one child process: calls go there, their events come back. The process is killed by `dispose`, ends
 * with this one, and does not keep this one running while nothing is asked of it.
 */
export class HostProcess implements AsyncDisposable {
  readonly pid: number;
  /** When the process is gone, however it went. */
  readonly exited: Promise<HostExit>;
  readonly #child: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #pings = new Map<number, (memory: number | undefined) => void>();
  #nextId = 1;
  #stderr = "";
  #exit: HostExit | undefined;

  /** Throws runtime_error when no process can be made. */
  static async start({ config, title, onExit }: HostProcessOptions): Promise<HostProcess> {
    const child = forkHost();
    await new Promise<void>((resolve, reject) => {
      child.once("spawn", resolve);
      child.once("error", (cause) =>
        reject(new HfmsError("runtime_error", `no process can be started: ${cause.message}`, { cause })),
      );
    });
    const host = new HostProcess(child, onExit);
    host.#send({ type: "open", config, title });
    return host;
  }

  private constructor(child: ChildProcess, onExit: HostProcessOptions["onExit"]) {
    this.#child = child;
    this.pid = child.pid as number;
    child.on("message", (messages) => {
      for (const message of messages as FromHost[]) this.#receive(message);
    });
    // A message that can't be sent any more: `exit` tells the rest.
    child.on("error", () => {});
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      if (this.#stderr.length > 2 * MAX_STDERR)
        this.#stderr = this.#stderr.slice(0, MAX_STDERR) + this.#stderr.slice(-MAX_STDERR);
    });
    this.exited = ending(child).then(({ code, signal }) => {
      const exit = { pid: this.pid, code, signal, stderr: this.#stderr.trim() };
      this.#exit = exit;
      onExit?.(exit);
      for (const { stream } of this.#pending.values()) stream.fail(new HostCrash(exit));
      for (const resolve of this.#pings.values()) resolve(undefined);
      return exit;
    });
    this.#hold();
  }

  /** Events of a call as they come, then its result. A signal or an early end stops it there. Throws HostCrash. */
  async *call<M extends Method>(
    method: M,
    request: Calls[M]["request"],
    signal?: AbortSignal,
  ): AsyncGenerator<Calls[M]["event"], Calls[M]["result"]> {
    throwIfAborted(signal);
    if (this.#exit) throw new HostCrash(this.#exit);
    const id = this.#nextId++;
    const stream = new CallStream((events) => this.#send({ type: "credit", id, events }));
    const pending: Pending = { stream };
    this.#pending.set(id, pending);
    this.#hold();
    const stop = (): void => stream.fail(aborted(signal));
    signal?.addEventListener("abort", stop, { once: true });
    try {
      this.#sendCall(id, method, request, pending);
      for (;;) {
        const item = await stream.next();
        if (item.type === "end") return item.result as Calls[M]["result"];
        yield detach(item.event) as Calls[M]["event"];
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#pending.delete(id);
      if (!stream.answered) this.#send({ type: "abort", id });
      pending.input?.close();
      this.#hold();
    }
  }

  /** Bytes of the process in memory, or undefined when it doesn't answer in time. */
  async ping(timeoutMs: number): Promise<number | undefined> {
    if (this.#exit) return undefined;
    const id = this.#nextId++;
    const { promise, resolve } = Promise.withResolvers<number | undefined>();
    this.#pings.set(id, resolve);
    const timer = setTimeout(resolve, timeoutMs, undefined);
    this.#send({ type: "ping", id });
    this.#hold();
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#pings.delete(id);
      this.#hold();
    }
  }

  /** Ends the process and returns its memory to the system; calls that are under way throw HostCrash. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#exit) {
      this.#send({ type: "close" });
      this.#child.ref();
      const kill = setTimeout(() => this.#child.kill("SIGKILL"), CLOSE_PATIENCE_MS);
      await this.exited;
      clearTimeout(kill);
    }
    await this.exited;
  }

  #sendCall<M extends Method>(id: number, method: M, request: Calls[M]["request"], pending: Pending): void {
    const input = method === "embed" ? (request as Calls["embed"]["request"]).input : undefined;
    if (input === undefined || isShortList(input)) {
      this.#send({ type: "call", id, method, request });
      return;
    }
    // Functions can't cross, and an iterator is full of them.
    this.#send({
      type: "call",
      id,
      method,
      request: { ...request, input: [] } as typeof request,
      streamed: true,
    });
    pending.input = feedInput(input, id, (message) => this.#send(message));
  }

  #receive(message: FromHost): void {
    if (message.type === "pong") {
      this.#pings.get(message.id)?.(message.memory);
      return;
    }
    // A message may cross with the end of its call.
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if (message.type === "want") pending.input?.want(message.texts);
    else if (message.type === "enough") pending.input?.close();
    else if (message.type === "error") pending.stream.fail(fromWire(message.error), true);
    else pending.stream.push(message);
  }

  #send(message: ToHost): void {
    if (!this.#exit && this.#child.connected) this.#child.send(message, () => {});
  }

  /** A host at rest must not keep the program from ending. */
  #hold(): void {
    const busy = this.#pending.size > 0 || this.#pings.size > 0;
    const way = busy ? "ref" : "unref";
    this.#child[way]();
    this.#child.channel?.[way]();
    (this.#child.stderr as unknown as { ref(): void; unref(): void } | null)?.[way]();
  }
}

/** Node hands out a view of the whole message; who keeps a vector must not keep that. */
function detach(event: Calls[Method]["event"]): Calls[Method]["event"] {
  return event.type === "embedding" ? { ...event, embedding: event.embedding.slice() } : event;
}

/** Not `exit` alone: what the process wrote last may come behind it. */
function ending(child: ChildProcess): Promise<Pick<HostExit, "code" | "signal">> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => {
      const end = (): void => resolve({ code, signal });
      child.once("close", end);
      setTimeout(end, STDERR_PATIENCE_MS).unref();
    });
  });
}

/** The compiled program, or from the sources: then Node needs the rule that finds `.ts` behind `.js`. */
function forkHost(): ChildProcess {
  const fromSources = import.meta.url.endsWith(".ts");
  const entry = new URL(fromSources ? "../host-main.ts" : "../host-main.js", import.meta.url);
  const sources = new URL("../../../bin/sources.js", import.meta.url);
  const cache = getCompileCacheDir();
  return fork(fileURLToPath(entry), [], {
    serialization: "advanced",
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    execArgv: fromSources && existsSync(fileURLToPath(sources)) ? ["--import", sources.href] : [],
    env: childEnvironment(cache ? { NODE_COMPILE_CACHE: cache } : {}),
    windowsHide: true,
  } as Parameters<typeof fork>[2]);
}

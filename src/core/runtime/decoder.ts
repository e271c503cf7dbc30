import { HfmsError } from "../errors.js";
import type { DecoderInfo } from "../models/types.js";
import { KvCache } from "./kv-cache.js";
import { Lane } from "./lane.js";
import { Session, type SessionOptions } from "./session.js";

/** The files of a built decoder: one graph for every run, and one that is better at prompts. */
export interface DecoderGraphs {
  step: string;
  prefill?: string;
  /** Whether a prompt of this many tokens goes through `prefill`, all its pieces alike. */
  usesPrefill(tokens: number): boolean;
}

export type DecoderGraph = "step" | "prefill";

/**
 * The sessions of a decoder. Sequences live in caches, runs in lanes: what is asked of them is in lane.ts. A lane for
 * steps and one for prompts may run at the same time.
 */
export class Decoder implements AsyncDisposable {
  readonly info: DecoderInfo;
  readonly #graphs: DecoderGraphs;
  readonly #options: SessionOptions;
  readonly #sessions = new Map<string, Promise<Session>>();
  #pairsSteps: Promise<boolean> | undefined;
  #disposed = false;

  private constructor(graphs: DecoderGraphs, info: DecoderInfo, options: SessionOptions) {
    this.#graphs = graphs;
    this.#options = options;
    this.info = info;
  }

  /** Opens the graph that the first prompt will need; the other one is opened by `prepare` or when it is needed. */
  static async load(graphs: DecoderGraphs, info: DecoderInfo, options: SessionOptions): Promise<Decoder> {
    const decoder = new Decoder(graphs, info, options);
    await decoder.#open(decoder.#file("prefill"));
    return decoder;
  }

  /** Begins to open the graph for single tokens, so that it is ready when the prompt is done. */
  prepare(): void {
    // A failure is heard of by the run that needs it.
    this.#open(this.#graphs.step).catch(() => {});
  }

  /** Which graph computes a prompt of this many tokens. */
  graphFor(tokens: number): DecoderGraph {
    return this.#graphs.prefill !== undefined && this.#graphs.usesPrefill(tokens) ? "prefill" : "step";
  }

  /** What keys and values of a prompt have to do with others: the graph, and how long its text will be. */
  kindOf(prompt: number, end: number): string {
    const { longFrom } = this.info;
    const graph = this.graphFor(prompt);
    return longFrom !== undefined && end > longFrom ? `${graph} long` : graph;
  }

  /**
   * Whether a step of one row is not bit-equal to the same row among others, so that it must never run alone where it
   * may get company. It depends on the processor: without VNNI, MatMulNBits has a kernel of its own for one row of
   * 4-bit blocks. Found by trying, once.
   */
  pairsSteps(): Promise<boolean> {
    if (!this.#pairsSteps) {
      this.#pairsSteps = this.#compareSteps();
      this.#pairsSteps.catch(() => (this.#pairsSteps = undefined));
    }
    return this.#pairsSteps;
  }

  createCache(slots = 1): KvCache {
    return new KvCache(this.info, slots, this.info.contextLength);
  }

  /**
   * @param options half: use half of the threads where that costs little memory. The weights of the graph for prompts
   *   are shared by its sessions, those of the other graph are packed anew for each.
   */
  async createLane(graph: DecoderGraph, { half = false } = {}): Promise<Lane> {
    const file = this.#file(graph);
    return new Lane(await this.#open(file, half && file !== this.#graphs.step), this.info);
  }

  async #compareSteps(): Promise<boolean> {
    await using lane = await this.createLane("step");
    const { vocabularySize } = this.info;
    const cache = this.createCache(2);
    cache.reserve(1, 0);
    const rows = [1, 2].map((token) => ({ tokens: [token % vocabularySize], past: 0 }));
    const alone = (await lane.run({ cache, rows: rows.slice(0, 1), logits: "last" })).data.slice();
    const together = (await lane.run({ cache, rows, logits: "last" })).data;
    return alone.some((logit, i) => logit !== together[i]);
  }

  #file(graph: DecoderGraph): string {
    return graph === "prefill" ? (this.#graphs.prefill ?? this.#graphs.step) : this.#graphs.step;
  }

  async #open(graph: string, half = false): Promise<Session> {
    // What was closed must not come back: nobody would release it.
    if (this.#disposed) throw new HfmsError("internal_error", "the decoder is disposed");
    const key = `${graph} ${half}`;
    let session = this.#sessions.get(key);
    if (!session) {
      session = Session.create(graph, { ...this.#options, threads: this.#threads(graph, half) });
      this.#sessions.set(key, session);
      session.catch(() => this.#sessions.delete(key));
    }
    return session;
  }

  /**
   * Where threads outnumber the heads of all rows, attention shares a step's past among them in parts, and adds these up
   * in another order: a row alone would not be bit-equal to the same row among others.
   */
  #threads(graph: string, half: boolean): number {
    const { threads = 1 } = this.#options;
    const most = graph === this.#graphs.step ? Math.min(threads, this.info.heads) : threads;
    return half ? Math.max(1, most >> 1) : most;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const sessions = await Promise.allSettled(this.#sessions.values());
    this.#sessions.clear();
    for (const session of sessions)
      if (session.status === "fulfilled") await session.value[Symbol.asyncDispose]();
  }
}

import type { Decoder, DecoderGraph } from "../runtime/decoder.js";
import type { CachedPositions, KvCache } from "../runtime/kv-cache.js";
import { type Lane, logitsRow } from "../runtime/lane.js";
import { logprobsOf } from "../runtime/logprobs.js";
import { nextPiece } from "../runtime/prompt-pieces.js";
import type { GenerationSequence } from "./generation-sequence.js";
import { PREFIX_BLOCK, type PrefixCache } from "./prefix-cache.js";
import type { PromptRun } from "./scheduler.js";

/** Logits of every position of a piece are megabytes. */
const LOGPROBS_PIECE = 64;

/** Computes prompts, each in memory of its own, and keeps their blocks for others that begin alike. */
export class PromptRunner implements AsyncDisposable {
  readonly #decoder: Decoder;
  readonly #prefixes: PrefixCache<CachedPositions>;
  readonly #lanes = new Map<string, Promise<Lane>>();

  constructor(decoder: Decoder, prefixes: PrefixCache<CachedPositions>) {
    this.#decoder = decoder;
    this.#prefixes = prefixes;
  }

  /** Whose prompts may share a run: those that begin differently and go through the same graph. */
  companyOf({ request, end }: GenerationSequence): string | undefined {
    const { prompt, promptLogprobs } = request;
    if (promptLogprobs !== undefined || prompt.length < 2) return undefined;
    const kind = this.#decoder.kindOf(prompt.length, end);
    return this.#prefixes.known(prompt, kind, reusable(prompt.length)) > 0 ? undefined : kind;
  }

  /**
   * Runs what the scheduler chose. Returns how many tokens of each prompt are computed now, and the logits
   * [vocabulary] behind those that are complete. Prompts that failed together come again, each by itself.
   */
  async run(
    { rows, beside }: PromptRun<GenerationSequence>,
    signal: AbortSignal,
  ): Promise<{ sequence: GenerationSequence; computed: number; logits?: Float32Array }[]> {
    const sequences = distinct(rows.map(({ sequence }) => sequence));
    for (const sequence of sequences) sequence.begun ||= performance.now();
    const lane = await this.#lane(this.#decoder.graphFor(sequences[0].promptLength), beside);
    try {
      if (sequences.length > 1) return await this.#runTogether(lane, sequences, signal);
      return [await this.#runPiece(lane, sequences[0], rows[0].tokens, signal)];
    } catch (error) {
      if (rows.length === 1 || signal.aborted) throw error;
      // Only one of them need be at fault: each goes alone now, and fails alone.
      for (const { sequence } of rows) sequence.company = undefined;
      return [];
    }
  }

  async #runPiece(lane: Lane, sequence: GenerationSequence, size: number, signal: AbortSignal) {
    const { prompt, promptLogprobs } = sequence.request;
    const { end } = sequence;
    const kind = this.#decoder.kindOf(prompt.length, end);
    if (sequence.computed === 0) this.#reuse(sequence, kind);
    sequence.place ??= { cache: this.#decoder.createCache(), slot: 0 };
    const {
      place: { cache },
      cachedTokens,
    } = sequence;
    const past = Math.max(sequence.computed, cachedTokens);
    cache.reserve(prompt.length, past);
    const most = promptLogprobs === undefined ? size : Math.min(size, LOGPROBS_PIECE);
    const tokens = prompt.slice(past, past + nextPiece(prompt.length - past, most));
    const logits = promptLogprobs === undefined ? "last" : "all";
    const output = await lane.run({ cache, rows: [{ tokens, past, end }], logits, signal });
    const done = past + tokens.length;
    const vocabulary = this.#decoder.info.vocabularySize;
    const row = (i: number): Float32Array => logitsRow(output.data, i, vocabulary);
    if (promptLogprobs !== undefined) {
      for (let i = 0; i < tokens.length && past + i + 1 < prompt.length; i++) {
        sequence.promptLogprobs.push(logprobsOf(row(i), prompt[past + i + 1], promptLogprobs));
      }
    }
    this.#keep(prompt, cache, 0, kind, done);
    const last = promptLogprobs === undefined ? 0 : tokens.length - 1;
    return {
      sequence,
      computed: done - sequence.computed,
      logits: done === prompt.length ? row(last) : undefined,
    };
  }

  async #runTogether(lane: Lane, sequences: GenerationSequence[], signal: AbortSignal) {
    const longest = Math.max(...sequences.map(({ promptLength }) => promptLength));
    const shared = this.#decoder.createCache(sequences.length);
    const { contextLength, vocabularySize } = this.#decoder.info;
    // One more: a width that would leave a token alone is padded. None for what follows: that is the batch's memory.
    shared.resize(sequences.length, Math.min(longest + 1, contextLength), []);
    const rows = sequences.map(({ request, end }) => ({ tokens: request.prompt, past: 0, end }));
    const output = await lane.run({ cache: shared, rows, logits: "last", signal });
    return sequences.map((sequence, slot) => {
      const { promptLength, end } = sequence;
      sequence.place = { cache: shared, slot };
      const kind = this.#decoder.kindOf(promptLength, end);
      this.#keep(sequence.request.prompt, shared, slot, kind, promptLength);
      return { sequence, computed: promptLength, logits: logitsRow(output.data, slot, vocabularySize) };
    });
  }

  /** Puts known blocks into the sequence's cache; they count as computed with its first piece. */
  #reuse(sequence: GenerationSequence, kind: string): void {
    const { prompt, promptLogprobs } = sequence.request;
    if (promptLogprobs !== undefined) return;
    const blocks = this.#prefixes.match(prompt, kind, reusable(prompt.length));
    if (blocks.length === 0) return;
    const cache = this.#decoder.createCache();
    cache.reserve(prompt.length, 0);
    for (const [i, block] of blocks.entries()) cache.write(0, i * PREFIX_BLOCK, PREFIX_BLOCK, block);
    sequence.place = { cache, slot: 0 };
    sequence.cachedTokens = blocks.length * PREFIX_BLOCK;
  }

  #keep(prompt: readonly number[], cache: KvCache, slot: number, kind: string, length: number): void {
    this.#prefixes.keep(prompt, kind, length, (start) => cache.read(slot, start, PREFIX_BLOCK));
  }

  /** Beside running answers a prompt takes half of the threads: those of both would wait for each other on the cores. */
  async #lane(graph: DecoderGraph, beside: boolean): Promise<Lane> {
    const key = `${graph} ${beside}`;
    let lane = this.#lanes.get(key);
    if (!lane) {
      lane = this.#decoder.createLane(graph, { half: beside });
      this.#lanes.set(key, lane);
      lane.catch(() => this.#lanes.delete(key));
    }
    return lane;
  }

  /** No prompt is there any more: what the lanes are bound to would be held as well. Not while one runs. */
  async rest(): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values());
    this.#lanes.clear();
    for (const lane of lanes) if (lane.status === "fulfilled") await lane.value[Symbol.asyncDispose]();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.rest();
  }
}

/** Tokens of a prompt that may come from elsewhere: at least two are computed, for the logits behind them. */
function reusable(promptLength: number): number {
  return Math.max(0, promptLength - 2);
}

/** Of prompts that begin alike only the first runs now: the others will find its blocks. */
function distinct(sequences: GenerationSequence[]): GenerationSequence[] {
  const beginnings = new Set<string>();
  return sequences.filter(({ request: { prompt } }) => {
    if (reusable(prompt.length) < PREFIX_BLOCK) return true;
    const beginning = prompt.slice(0, PREFIX_BLOCK).join(",");
    if (beginnings.has(beginning)) return false;
    beginnings.add(beginning);
    return true;
  });
}

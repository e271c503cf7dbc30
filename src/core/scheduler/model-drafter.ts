import { argmax } from "../runtime/argmax.js";
import type { Decoder } from "../runtime/decoder.js";
import type { KvCache } from "../runtime/kv-cache.js";
import type { Lane } from "../runtime/lane.js";
import { nextPiece } from "../runtime/prompt-pieces.js";
import { learned, RunCosts } from "./guess-costs.js";
import type { Drafter } from "./speculator.js";

/** Guesses in one go: a small model strays from the large one soon. */
const MOST_GUESSES = 12;
const FIRST_CHANCE = 0.6;
const PIECE = 512;
/** Once in so many steps guesses are tried although they did not pay. */
const RETRY_STEPS = 32;

/** Guesses with a smaller model of the same vocabulary, which takes its likeliest token each time. */
export class ModelDrafter implements Drafter {
  readonly #decoder: Decoder;
  readonly #costs: RunCosts;
  /** Of the smaller model's own steps. */
  readonly #own = new RunCosts();
  readonly #cache: KvCache;
  readonly #lanes = new Map<string, Promise<Lane>>();
  /** Tokens that are in its cache. */
  #held: number[] = [];
  #chance = FIRST_CHANCE;
  #quiet = 0;

  /** @param costs of the model that checks the guesses */
  constructor(decoder: Decoder, costs: RunCosts) {
    this.#decoder = decoder;
    this.#costs = costs;
    this.#cache = decoder.createCache();
  }

  async draft(tokens: readonly number[], most: number): Promise<readonly number[]> {
    const room = this.#decoder.info.contextLength - tokens.length;
    const count = this.#count(Math.min(most, room, MOST_GUESSES));
    if (count === 0) return [];
    const draft: number[] = [];
    let logits = await this.#catchUp(tokens);
    for (;;) {
      draft.push(argmax(logits));
      if (draft.length === count) return draft;
      const start = performance.now();
      logits = await this.#append(draft.slice(-1));
      this.#own.ran(1, performance.now() - start);
    }
  }

  learn(drafted: number, held: number): void {
    if (drafted > 0) this.#chance = learned(this.#chance, drafted, held);
  }

  #count(most: number): number {
    const perGuess =
      this.#costs.single > 0 && this.#own.single > 0 ? this.#own.single / this.#costs.single : 0;
    const count = most > 0 ? this.#costs.best(this.#chance, most, perGuess) : 0;
    if (count > 0 || ++this.#quiet < RETRY_STEPS) return count;
    this.#quiet = 0;
    return Math.min(most, 2);
  }

  /** Brings the cache to these tokens, and gives the logits behind them. */
  async #catchUp(tokens: readonly number[]): Promise<Float32Array> {
    let same = 0;
    while (same < this.#held.length && this.#held[same] === tokens[same]) same++;
    this.#held.length = Math.min(same, tokens.length - 1);
    return this.#append(tokens.slice(this.#held.length));
  }

  async #append(tokens: readonly number[]): Promise<Float32Array> {
    const graph = this.#decoder.graphFor(tokens.length);
    let lane = this.#lanes.get(graph);
    if (!lane) {
      lane = this.#decoder.createLane(graph);
      this.#lanes.set(graph, lane);
    }
    const runner = await lane;
    let logits: Float32Array = new Float32Array(0);
    for (let start = 0; start < tokens.length; ) {
      const piece = tokens.slice(start, start + nextPiece(tokens.length - start, PIECE));
      const past = this.#held.length;
      this.#cache.reserve(past + piece.length, past);
      const rows = [{ tokens: piece, past }];
      const output = await runner.run({ cache: this.#cache, rows, logits: "last" });
      logits = output.data.subarray(0, this.#decoder.info.vocabularySize);
      this.#held.push(...piece);
      start += piece.length;
    }
    return logits;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values());
    for (const lane of lanes) if (lane.status === "fulfilled") await lane.value[Symbol.asyncDispose]();
  }
}

import { HfmsError } from "../errors.js";
import type { Sequence } from "./sequence.js";

export interface SchedulerLimits {
  /** Sequences that are computed at the same time. */
  slots: number;
  /** Positions of keys and values that memory is there for, over all slots. */
  positions: number;
  /** Positions that a cache takes for sequences of this length. */
  capacityFor(length: number): number;
  /** Tokens of a prompt in one run. */
  piece: number;
  /** The same while others wait or run: a long prompt makes room more often. */
  busyPiece: number;
}

/** A run of prompts: the next tokens of one, or several whole short ones side by side. */
export interface PromptRun<S> {
  rows: { sequence: S; tokens: number }[];
  /** Answers are running beside it. */
  beside: boolean;
}

/** What happens to the batch before its next step; to be carried out in this order. */
export interface BatchChange<S> {
  /** The last sequences take the places of those that have ended. */
  moves: { sequence: S; from: number; to: number }[];
  joins: { sequence: S; slot: number }[];
  /** The batch then, by slot. */
  running: readonly S[];
}

/** One that was passed over this often goes first, whatever its priority. */
const PATIENCE = 64;
/** Prompts of up to this many tokens are worth computing side by side. */
const SHORT_PROMPT = 128;
/** Padding makes a run at most this much larger. */
const MOST_PADDING = 1.25;

/**
 * Who is computed next. It is policy alone, without tokens or tensors:
 *
 * - A sequence is let in when a slot is free and memory for all that it may come to need; then nothing can take it away.
 *   Memory for a batch is counted as it is allocated: each slot as long as the longest sequence.
 * - Higher priority first, then the order of arrival. Who was passed over 64 times goes first.
 * - Prompts are computed in pieces. Among several, the oldest and the shortest take turns, so that a short question does
 *   not wait for a long document, nor the document for ever.
 * - A sequence joins the batch at the next step and leaves it at the step after its end.
 */
export class Scheduler<S extends Sequence> {
  readonly #limits: SchedulerLimits;
  #arrivals = 0;
  #waiting: S[] = [];
  #prefill: S[] = [];
  #ready: S[] = [];
  /** By slot. Ended ones stay until the next step fills their places. */
  #running: S[] = [];
  #oldestFirst = true;

  constructor(limits: SchedulerLimits) {
    this.#limits = limits;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Sequences that hold a slot. */
  get active(): number {
    return this.#prefill.length + this.#ready.length + this.#alive().length;
  }

  /** Positions that the batch may have memory for: all but what prompts have of their own. */
  get batchPositions(): number {
    return this.#limits.positions - this.#own([...this.#prefill, ...this.#ready]);
  }

  /** Positions that are spoken for. */
  get reserved(): number {
    return this.#cost([...this.#prefill, ...this.#ready, ...this.#alive()]);
  }

  /** Throws out_of_memory when the sequence would not fit if it were alone. */
  add(sequence: S): void {
    const needed = this.#cost([sequence]);
    if (needed > this.#limits.positions) {
      throw new HfmsError(
        "out_of_memory",
        `the request needs keys and values for ${needed} tokens; there is memory for ${this.#limits.positions}`,
        { hint: "shorten the prompt, or ask for fewer tokens", param: "maxTokens" },
      );
    }
    sequence.arrival = this.#arrivals++;
    this.#waiting.push(sequence);
  }

  /** The sequence is over, whatever its state: finished, aborted or failed. */
  end(sequence: S): void {
    const remove = (list: S[]) => list.filter((other) => other !== sequence);
    this.#waiting = remove(this.#waiting);
    this.#prefill = remove(this.#prefill);
    this.#ready = remove(this.#ready);
    sequence.state = "ended";
  }

  /** The next run of prompts, or undefined when there is none that may run now. */
  nextPrompts(): PromptRun<S> | undefined {
    this.#admit();
    if (this.#prefill.length === 0) return undefined;
    const first = this.#choose();
    const beside = this.active > this.#prefill.length;
    const fellows = this.#company(first);
    if (fellows.length > 1) {
      return { rows: fellows.map((sequence) => ({ sequence, tokens: sequence.promptLength })), beside };
    }
    const alone = this.active === 1 && this.#waiting.length === 0;
    const left = first.promptLength - first.computed;
    const tokens = Math.min(left, alone ? this.#limits.piece : this.#limits.busyPiece);
    return { rows: [{ sequence: first, tokens }], beside };
  }

  /** Tokens of the prompt have been computed, or found. When they are all there, the sequence may join. */
  computed(sequence: S, tokens: number): void {
    sequence.computed += tokens;
    if (sequence.state !== "prefill" || sequence.computed < sequence.promptLength) return;
    this.#prefill = this.#prefill.filter((other) => other !== sequence);
    this.#ready.push(sequence);
    sequence.state = "ready";
  }

  /** The batch of the next step. An empty one: there is nothing to do. */
  nextStep(): BatchChange<S> {
    const moves: BatchChange<S>["moves"] = [];
    const running = this.#running;
    for (let slot = 0; slot < running.length; slot++) {
      if (running[slot].state !== "ended") continue;
      while (running.length > slot && running.at(-1)?.state === "ended") running.pop();
      if (running.length <= slot) break;
      const from = running.length - 1;
      running[slot] = running.pop() as S;
      moves.push({ sequence: running[slot], from, to: slot });
    }
    const joins: BatchChange<S>["joins"] = [];
    for (const sequence of this.#ready.splice(0).sort(byRank)) {
      sequence.state = "running";
      joins.push({ sequence, slot: running.length });
      running.push(sequence);
    }
    return { moves, joins, running };
  }

  #alive(): S[] {
    return this.#running.filter(({ state }) => state !== "ended");
  }

  /** Lets in whom there is room for, in order of rank: one that does not fit is not overtaken by a smaller one. */
  #admit(): void {
    while (this.#waiting.length > 0) {
      const next = this.#waiting.reduce((best, other) => (byRank(other, best) < 0 ? other : best));
      const active = [...this.#prefill, ...this.#ready, ...this.#alive()];
      if (active.length >= this.#limits.slots) return;
      if (active.length > 0 && this.#cost([...active, next]) > this.#limits.positions) return;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      for (const other of this.#waiting) if (other.arrival < next.arrival) other.passed++;
      this.#prefill.push(next);
      next.state = "prefill";
    }
  }

  /** Slots double as the batch grows; while it is computed, a prompt has memory of its own. */
  #cost(active: readonly S[]): number {
    const { capacityFor, slots } = this.#limits;
    const longest = Math.max(0, ...active.map(({ reserved }) => reserved));
    // The only one takes its own memory into the batch.
    return (
      slotsFor(active.length, slots) * capacityFor(longest) + (active.length > 1 ? this.#own(active) : 0)
    );
  }

  /** Positions of the memory that sequences have beside the batch. */
  #own(sequences: readonly S[]): number {
    const apart = sequences.filter(({ state }) => state !== "running");
    return apart.reduce((sum, { promptLength }) => sum + this.#limits.capacityFor(promptLength), 0);
  }

  #choose(): S {
    const top = Math.max(...this.#prefill.map(({ priority }) => priority));
    const urgent = this.#prefill.filter(({ priority, passed }) => priority === top || passed >= PATIENCE);
    this.#oldestFirst = !this.#oldestFirst;
    const left = ({ promptLength, computed }: S): number => promptLength - computed;
    const chosen = urgent.reduce((best, other) => {
      const shorter = left(other) - left(best) || other.arrival - best.arrival;
      const first = this.#oldestFirst ? other.arrival - best.arrival : shorter;
      return first < 0 ? other : best;
    });
    for (const other of this.#prefill) if (other.arrival < chosen.arrival) other.passed++;
    return chosen;
  }

  /** Short prompts that go well with the first one, itself included. */
  #company(first: S): S[] {
    const fits = ({ company, promptLength, computed }: S): boolean =>
      company !== undefined &&
      company === first.company &&
      computed === 0 &&
      promptLength > 1 &&
      promptLength <= SHORT_PROMPT;
    if (!fits(first)) return [first];
    const fellows = [first];
    let [longest, sum] = [first.promptLength, first.promptLength];
    for (const other of this.#prefill.filter((one) => one !== first && fits(one))) {
      const width = Math.max(longest, other.promptLength);
      const padded = width * (fellows.length + 1);
      if (padded > this.#limits.piece * 2 || padded > MOST_PADDING * (sum + other.promptLength)) continue;
      longest = width;
      sum += other.promptLength;
      fellows.push(other);
    }
    return fellows;
  }
}

/** Slots that a batch of `count` sequences takes: powers of two, so that few arrivals move memory. */
export function slotsFor(count: number, most: number): number {
  let slots = count > 0 ? 1 : 0;
  while (slots < count) slots *= 2;
  return Math.min(slots, most);
}

function byRank(a: Sequence, b: Sequence): number {
  const patient = ({ passed }: Sequence): number => (passed >= PATIENCE ? 1 : 0);
  return patient(b) - patient(a) || b.priority - a.priority || a.arrival - b.arrival;
}

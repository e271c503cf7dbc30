import { HfmsError } from "../../errors.js";
import type { Instruction, Program } from "./program.js";

/** What is left to do when a rule or one round of a repeat ends: a stack, shared by all that stand on it. */
export interface Frame {
  id: number;
  /** The instruction to go on with, or the repeat itself. */
  at: number;
  /** Rounds done of a repeat; CALLED for a rule's return. */
  count: number;
  below: Frame;
}

/** One way in which a text can be read: a terminal's state, and what follows the terminal. */
export interface Thread {
  at: number;
  state: number;
  /** Of a counting terminal, the top frame has its count. */
  frame: Frame;
}

/** Everything that a text so far can mean. Equal configurations are the same object, so that masks can be kept. */
export interface Configuration {
  threads: readonly Thread[];
  /** May the text end here? */
  accepting: boolean;
  /** The first bytes that fit; found when they are asked for. */
  first?: Uint8Array;
  steps: Map<number, Configuration | undefined>;
}

const CALLED = -1;
const bottom: Frame = { id: 0, at: -1, count: CALLED, below: undefined as unknown as Frame };
/** More meanings at once come from a grammar that says the same thing in many ways. */
const MAX_THREADS = 20_000;
/** Configurations and frames that are remembered; then both tables are begun anew. */
const MAX_REMEMBERED = 50_000;

/** The configurations of a program, shared by all answers that have its format. */
export class ConfigurationTable {
  readonly instructions: readonly Instruction[];
  readonly start: Configuration;
  readonly #frames = new Map<string, Frame>();
  readonly #known = new Map<string, Configuration>();
  #frameId = 1;

  constructor(program: Program) {
    this.instructions = program.instructions;
    const reached = new Reached();
    this.#enter(program.start, bottom, reached);
    this.start = this.#intern(reached);
  }

  /** The configuration behind a terminal that has ended. */
  after(thread: Thread): Configuration {
    const reached = new Reached();
    const instruction = this.instructions[thread.at];
    if (instruction.op === "match") this.#enter(instruction.next, thread.frame, reached);
    else if (instruction.op === "count") this.#enter(instruction.next, thread.frame.below, reached);
    return this.#intern(reached);
  }

  /** The configuration after one more byte; undefined where it doesn't fit. */
  step(from: Configuration, byte: number): Configuration | undefined {
    if (from.steps.has(byte)) return from.steps.get(byte);
    const reached = new Reached();
    for (const thread of from.threads) this.#advance(thread, byte, reached);
    const to = reached.isEmpty ? undefined : this.#intern(reached);
    from.steps.set(byte, to);
    return to;
  }

  /** By byte: 1 where it fits. */
  first(configuration: Configuration): Uint8Array {
    if (configuration.first) return configuration.first;
    const first = new Uint8Array(256);
    for (const { at, state } of configuration.threads) {
      const { classes, stride, next } = terminalAt(this.instructions, at);
      for (let byte = 0; byte < 256; byte++) if (next[state * stride + classes[byte]] >= 0) first[byte] = 1;
    }
    configuration.first = first;
    return first;
  }

  #advance({ at, state, frame }: Thread, byte: number, reached: Reached): void {
    const { classes, stride, next, accepting, open } = terminalAt(this.instructions, at);
    const to = next[state * stride + classes[byte]];
    if (to < 0) return;
    const instruction = this.instructions[at];
    if (instruction.op === "count") {
      if (!accepting[to]) {
        reached.thread(at, to, frame);
        return;
      }
      const count = frame.count + 1;
      if (count < instruction.max) {
        reached.thread(at, 0, this.#frame(at, rounds(count, instruction), frame.below));
      }
      if (count >= instruction.min) this.#enter(instruction.next, frame.below, reached);
    } else if (instruction.op === "match") {
      if (open[to]) reached.thread(at, to, frame);
      if (accepting[to]) this.#enter(instruction.next, frame, reached);
    }
  }

  /** Follows the instructions up to the next terminals. */
  #enter(at: number, frame: Frame, reached: Reached): void {
    if (!reached.visit(at, frame)) return;
    const instruction = this.instructions[at];
    switch (instruction.op) {
      case "match":
        if (instruction.terminal.open[0]) reached.thread(at, 0, frame);
        if (instruction.terminal.accepting[0]) this.#enter(instruction.next, frame, reached);
        return;
      case "count":
        reached.thread(at, 0, this.#frame(at, 0, frame));
        if (instruction.min === 0) this.#enter(instruction.next, frame, reached);
        return;
      case "split":
        for (const target of instruction.targets) this.#enter(target, frame, reached);
        return;
      case "call":
        this.#enter(instruction.target, this.#frame(instruction.next, CALLED, frame), reached);
        return;
      case "repeat":
        this.#enter(instruction.body, this.#frame(at, 0, frame), reached);
        if (instruction.min === 0) this.#enter(instruction.next, frame, reached);
        return;
      case "return":
        if (frame === bottom) reached.accepting = true;
        else if (frame.count === CALLED) this.#enter(frame.at, frame.below, reached);
        else this.#again(frame, reached);
    }
  }

  /** A round of a repeat is over. */
  #again(frame: Frame, reached: Reached): void {
    const instruction = this.instructions[frame.at];
    if (instruction.op !== "repeat") return;
    const count = frame.count + 1;
    if (count < instruction.max) {
      this.#enter(instruction.body, this.#frame(frame.at, rounds(count, instruction), frame.below), reached);
    }
    if (count >= instruction.min) this.#enter(instruction.next, frame.below, reached);
  }

  #frame(at: number, count: number, below: Frame): Frame {
    const key = `${at},${count},${below.id}`;
    let frame = this.#frames.get(key);
    if (!frame) {
      if (this.#frames.size >= MAX_REMEMBERED) this.#frames.clear();
      frame = { id: this.#frameId++, at, count, below };
      this.#frames.set(key, frame);
    }
    return frame;
  }

  #intern(reached: Reached): Configuration {
    const key = reached.key();
    let known = this.#known.get(key);
    if (!known) {
      if (this.#known.size >= MAX_REMEMBERED) {
        // They hold each other through their steps.
        for (const configuration of this.#known.values()) configuration.steps.clear();
        this.#known.clear();
      }
      known = { threads: reached.threads, accepting: reached.accepting, steps: new Map() };
      this.#known.set(key, known);
    }
    return known;
  }
}

/** The terminal that a thread reads. */
export function terminalAt(instructions: readonly Instruction[], at: number) {
  const instruction = instructions[at];
  if (instruction.op === "match" || instruction.op === "count") return instruction.terminal;
  throw new HfmsError("internal_error", `instruction ${at} of a grammar is no terminal`);
}

/** Where there is no upper bound, more rounds than the lower one are all the same. */
function rounds(count: number, { min, max }: { min: number; max: number }): number {
  return max === Number.POSITIVE_INFINITY ? Math.min(count, min) : count;
}

/** A configuration that is being put together. */
class Reached {
  readonly threads: Thread[] = [];
  accepting = false;
  readonly #threads = new Set<string>();
  readonly #visited = new Set<string>();

  get isEmpty(): boolean {
    return this.threads.length === 0 && !this.accepting;
  }

  visit(at: number, frame: Frame): boolean {
    const key = `${at},${frame.id}`;
    if (this.#visited.has(key)) return false;
    this.#visited.add(key);
    return true;
  }

  thread(at: number, state: number, frame: Frame): void {
    const key = `${at},${state},${frame.id}`;
    if (this.#threads.has(key)) return;
    this.#threads.add(key);
    this.threads.push({ at, state, frame });
    if (this.threads.length > MAX_THREADS) {
      throw new HfmsError(
        "invalid_request",
        `the format can be read in more than ${MAX_THREADS} ways at once`,
        {
          hint: "make its alternatives begin differently",
          param: "format",
        },
      );
    }
  }

  key(): string {
    return `${this.accepting ? "!" : ""}${[...this.#threads].sort().join(";")}`;
  }
}

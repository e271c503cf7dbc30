import { expect } from "vitest";
import { type PromptRun, Scheduler, type SchedulerLimits } from "../../../src/core/scheduler/scheduler.js";
import { Sequence, type SequenceNeeds } from "../../../src/core/scheduler/sequence.js";

/** A request without tokens: it ends by itself after `life` tokens. */
export class Life extends Sequence {
  readonly life: number;
  taken = 0;
  /** How often it ended. */
  ends = 0;
  /** Runs of prompts that it had a part in. */
  runs = 0;

  get over(): boolean {
    return this.ends > 0;
  }

  constructor(needs: SequenceNeeds & { life?: number; company?: string }) {
    super(needs);
    this.life = Math.min(needs.maxTokens, needs.life ?? needs.maxTokens);
    this.company = needs.company;
  }
}

/** Plays both pumps of the loop, and checks after everything that happens what must hold whatever happens. */
export class Simulation {
  readonly scheduler: Scheduler<Life>;
  readonly limits: SchedulerLimits;
  readonly all: Life[] = [];
  /** Who was admitted, in order. */
  readonly admitted: Life[] = [];
  /** The batch as its memory would be: what moves and joins make of it. */
  #slots: Life[] = [];
  #prompts: PromptRun<Life> | undefined;
  #step: readonly Life[] | undefined;
  promptRuns = 0;

  constructor(limits: SchedulerLimits) {
    this.limits = limits;
    this.scheduler = new Scheduler(limits);
  }

  get alive(): Life[] {
    return this.all.filter(({ state }) => state !== "ended");
  }

  add(needs: ConstructorParameters<typeof Life>[0]): Life {
    const life = new Life(needs);
    this.scheduler.add(life);
    this.all.push(life);
    this.#check();
    return life;
  }

  abort(life: Life): void {
    if (!life.over) this.#end(life);
    this.#check();
  }

  /** The pump of prompts: begins a run, or ends the one that is under way. `share`: how much of it was computed. */
  prompts(share = 1): Life[] {
    if (this.#prompts) {
      for (const { sequence, tokens } of this.#prompts.rows) {
        if (sequence.over) continue;
        const computed = Math.min(tokens, Math.max(1, Math.round(tokens * share)));
        if (sequence.computed + computed === sequence.promptLength) this.#take(sequence);
        if (!sequence.over) this.scheduler.computed(sequence, computed);
      }
      this.#prompts = undefined;
      this.#check();
      return [];
    }
    const waiting = this.all.filter(({ state }) => state === "waiting");
    const run = this.scheduler.nextPrompts();
    this.admitted.push(
      ...waiting.filter(({ state }) => state !== "waiting").sort((a, b) => a.arrival - b.arrival),
    );
    this.#check();
    if (!run) return [];
    this.#prompts = run;
    this.#checkRun(run);
    this.promptRuns++;
    for (const { sequence } of run.rows) sequence.runs++;
    return run.rows.map(({ sequence }) => sequence);
  }

  /** The pump of steps: begins one, or ends the one that is under way. */
  step(): void {
    if (this.#step) {
      for (const sequence of this.#step) if (!sequence.over) this.#take(sequence);
      this.#step = undefined;
      this.#check();
      return;
    }
    const { moves, joins, running } = this.scheduler.nextStep();
    for (const { sequence, from, to } of moves) {
      expect(this.#slots[from]).toBe(sequence);
      expect(this.#slots[to].state).toBe("ended");
      this.#slots[to] = sequence;
      this.#slots.splice(from);
    }
    while (this.#slots.at(-1)?.state === "ended") this.#slots.pop();
    for (const { sequence, slot } of joins) {
      expect(slot).toBe(this.#slots.length);
      expect(sequence.computed).toBe(sequence.promptLength);
      this.#slots.push(sequence);
    }
    expect(running).toEqual(this.#slots);
    expect(new Set(running).size).toBe(running.length);
    expect(running.length).toBeLessThanOrEqual(this.limits.slots);
    for (const { state } of running) expect(state).toBe("running");
    // Nobody who is ready is left out.
    expect(this.all.filter(({ state }) => state === "ready")).toEqual([]);
    if (running.length > 0) this.#step = [...running];
    this.#check();
  }

  /** Runs on until nobody is left. Returns how many rounds it took. */
  drain(most: number): number {
    let rounds = 0;
    for (; this.alive.length > 0; rounds++) {
      if (rounds === most) throw new Error(`${this.alive.length} sequences are left after ${most} rounds`);
      this.prompts();
      this.step();
    }
    for (let i = 0; i < 2; i++) [this.prompts(), this.step()];
    expect(this.scheduler).toMatchObject({ active: 0, waiting: 0, reserved: 0 });
    expect(this.scheduler.nextPrompts()).toBeUndefined();
    expect(this.scheduler.nextStep()).toEqual({ moves: [], joins: [], running: [] });
    for (const { ends } of this.all) expect(ends).toBe(1);
    return rounds;
  }

  #take(life: Life): void {
    if (++life.taken >= life.life) this.#end(life);
  }

  #end(life: Life): void {
    life.ends++;
    this.scheduler.end(life);
  }

  #check(): void {
    const { scheduler, limits, alive } = this;
    const active = alive.filter(({ state }) => state !== "waiting");
    expect(scheduler.active).toBe(active.length);
    expect(scheduler.waiting).toBe(alive.length - active.length);
    expect(active.length).toBeLessThanOrEqual(limits.slots);
    expect(scheduler.reserved).toBeLessThanOrEqual(limits.positions);
    // What is spoken for is no less than what those who run can come to need, side by side.
    const longest = Math.max(0, ...active.map(({ reserved }) => limits.capacityFor(reserved)));
    expect(scheduler.reserved).toBeGreaterThanOrEqual(active.length * longest);
  }

  #checkRun({ rows }: PromptRun<Life>): void {
    const { piece, busyPiece } = this.limits;
    expect(new Set(rows.map(({ sequence }) => sequence)).size).toBe(rows.length);
    for (const { sequence, tokens } of rows) {
      expect(sequence.state).toBe("prefill");
      expect(tokens).toBeGreaterThan(0);
      expect(sequence.computed + tokens).toBeLessThanOrEqual(sequence.promptLength);
    }
    if (rows.length === 1) {
      const alone = this.alive.length === 1;
      expect(rows[0].tokens).toBeLessThanOrEqual(alone ? piece : busyPiece);
      return;
    }
    const [{ company }] = rows.map(({ sequence }) => sequence);
    const width = Math.max(...rows.map(({ tokens }) => tokens));
    const sum = rows.reduce((total, { tokens }) => total + tokens, 0);
    expect(company).toBeDefined();
    expect(rows.length * width).toBeLessThanOrEqual(Math.min(2 * piece, 1.25 * sum));
    for (const { sequence, tokens } of rows) {
      expect(sequence.company).toBe(company);
      expect(tokens).toBe(sequence.promptLength);
      expect(tokens).toBeLessThanOrEqual(128);
    }
  }
}

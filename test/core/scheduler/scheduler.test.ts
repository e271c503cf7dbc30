import { describe, expect, it } from "vitest";
import { capacityFor } from "../../../src/core/runtime/kv-cache.js";
import { Scheduler, type SchedulerLimits, slotsFor } from "../../../src/core/scheduler/scheduler.js";
import { Sequence } from "../../../src/core/scheduler/sequence.js";
import fc from "../../property.js";
import { Simulation } from "./scheduler-simulation.js";

const CONTEXT = 4096;
const usual: SchedulerLimits = {
  slots: 8,
  positions: 64 * 1024,
  capacityFor: (length) => capacityFor(length, CONTEXT),
  piece: 512,
  busyPiece: 256,
};

const limits = fc.record({
  slots: fc.integer({ min: 1, max: 17 }),
  // Room for one of the longest, at least.
  positions: fc.constantFrom(CONTEXT, 5000, 10_000, 100_000),
  capacityFor: fc.constantFrom(usual.capacityFor, (length: number) => length),
  piece: fc.constantFrom(256, 512),
  busyPiece: fc.constantFrom(64, 256),
});
const short = fc.integer({ min: 1, max: 150 });
const needs = fc.record({
  promptLength: fc.oneof({ weight: 3, arbitrary: short }, fc.integer({ min: 1, max: 700 })),
  maxTokens: fc.oneof(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 2000 })),
  life: fc.integer({ min: 1, max: 12 }),
  priority: fc.constantFrom(-1, 0, 0, 0, 3),
  company: fc.constantFrom(undefined, "step", "prefill"),
});
const happening = fc.oneof(
  { weight: 3, arbitrary: fc.record({ add: needs }) },
  { weight: 1, arbitrary: fc.record({ abort: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ prompts: fc.constantFrom(1, 1, 0.5, 0.01) }) },
  { weight: 4, arbitrary: fc.constant("step" as const) },
);

describe("whatever comes, ends and is cancelled, in whatever state", () => {
  // The simulation checks slots, moves, budgets and runs after everything that happens.
  it("slots are without holes, budgets are held, and every sequence ends once", () => {
    fc.assert(
      fc.property(limits, fc.array(happening, { maxLength: 80 }), (bounds, happenings) => {
        const simulation = new Simulation(bounds);
        for (const what of happenings) {
          if (what === "step") simulation.step();
          else if ("add" in what) simulation.add(what.add);
          else if ("prompts" in what) simulation.prompts(what.prompts);
          else if (simulation.all.length > 0)
            simulation.abort(simulation.all[what.abort % simulation.all.length]);
        }
        // One at a time, each run takes two rounds.
        const work = simulation.all.map(
          ({ promptLength, life }) => Math.ceil(promptLength / bounds.busyPiece) + life + 2,
        );
        simulation.drain(2 * work.reduce((sum, rounds) => sum + rounds, 4));
      }),
      { numRuns: 200 },
    );
  });

  it("the pieces of a prompt are the prompt, and it joins the batch at the next step", () => {
    const simulation = new Simulation(usual);
    const life = simulation.add({ promptLength: 1300, maxTokens: 4 });
    for (const computed of [512, 1024, 1300]) {
      expect(simulation.prompts()).toEqual([life]);
      simulation.prompts();
      expect(life.computed).toBe(computed);
    }
    expect(life.state).toBe("ready");
    simulation.step();
    expect(life.state).toBe("running");
  });
});

describe("a sequence that can never fit", () => {
  it("is refused at once, says what there is, and leaves nothing behind", () => {
    fc.assert(
      fc.property(limits, needs, (bounds, { promptLength, maxTokens }) => {
        const scheduler = new Scheduler({ ...bounds, positions: 1024 });
        const add = () => scheduler.add(new Sequence({ promptLength, maxTokens }));
        const needed = bounds.capacityFor(promptLength + maxTokens);
        if (needed <= 1024) return add();
        expect(add).toThrow(`${needed} tokens; there is memory for 1024`);
        expect(scheduler).toMatchObject({ waiting: 0, active: 0, reserved: 0 });
      }),
    );
  });
});

describe("nobody starves", () => {
  it("of low priority: under endless requests of a higher one at most 64 others are let in before it", () => {
    fc.assert(
      fc.property(limits, needs, fc.array(needs, { minLength: 1, maxLength: 10 }), (bounds, low, others) => {
        const simulation = new Simulation(bounds);
        for (const other of others) simulation.add({ ...other, priority: 1 });
        const patient = simulation.add({ ...low, priority: 0 });
        for (let i = 0; patient.state === "waiting"; i++) {
          expect(i).toBeLessThan(50_000);
          while (simulation.scheduler.waiting < 4)
            simulation.add({ ...others[i % others.length], priority: 1 });
          simulation.prompts();
          simulation.step();
        }
        const before = simulation.admitted.slice(0, simulation.admitted.indexOf(patient));
        expect(before.filter(({ arrival }) => arrival > patient.arrival).length).toBeLessThanOrEqual(64);
      }),
      { numRuns: 15 },
    );
  });

  it("of many tokens: small ones do not slip past one that waits for memory", () => {
    const simulation = new Simulation({ ...usual, positions: 4096 });
    for (let i = 0; i < 4; i++) simulation.add({ promptLength: 20, maxTokens: 200 });
    simulation.prompts();
    const large = simulation.add({ promptLength: 2000, maxTokens: 2000 });
    while (large.state === "waiting") {
      simulation.add({ promptLength: 20, maxTokens: 200 });
      simulation.prompts();
      simulation.step();
    }
    expect(simulation.admitted.slice(4)[0]).toBe(large);
  });

  it("while prompts are computed: one of low priority is passed over 64 times at most", () => {
    const simulation = new Simulation({ ...usual, slots: 4 });
    const patient = simulation.add({ promptLength: 600, maxTokens: 1, priority: -1 });
    simulation.prompts();
    simulation.prompts();
    const { runs } = patient;
    const from = simulation.promptRuns;
    while (patient.runs === runs) {
      simulation.add({ promptLength: 300, maxTokens: 1, priority: 1 });
      simulation.prompts();
      simulation.prompts();
    }
    // Once patience has run out, its turn is the next one of the oldest.
    expect(simulation.promptRuns - from).toBeLessThanOrEqual(64 + 2);
  });

  it("of those that are in the way of each other: requests of equal priority are let in as they came", () => {
    fc.assert(
      fc.property(limits, fc.array(needs, { minLength: 2, maxLength: 20 }), (bounds, list) => {
        const simulation = new Simulation(bounds);
        for (const one of list) simulation.add({ ...one, priority: 0 });
        simulation.drain(1e5);
        expect(simulation.admitted).toEqual(simulation.all);
      }),
      { numRuns: 15 },
    );
  });
});

describe("a long prompt", () => {
  it("keeps a short one waiting for one run of its own at most", () => {
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 4000 }), short, fc.nat({ max: 20 }), (long, length, runs) => {
        const simulation = new Simulation(usual);
        const document = simulation.add({ promptLength: long, maxTokens: 1 });
        for (let i = 0; i < 2 * runs && document.state !== "ended"; i++) simulation.prompts();
        const question = simulation.add({ promptLength: length, maxTokens: 1 });
        // The run that is under way, one of the document, and its own.
        for (let i = 0; i < 6 && question.state !== "ended"; i++) simulation.prompts();
        expect(question.state).toBe("ended");
      }),
    );
  });

  it("gets every second run, however many short ones come", () => {
    const simulation = new Simulation(usual);
    const document = simulation.add({ promptLength: 4000, maxTokens: 1 });
    for (let i = 0; document.state !== "ended"; i++) {
      if (i % 2 === 0) simulation.add({ promptLength: 30, maxTokens: 1 });
      simulation.prompts();
    }
    expect(document.runs).toBe(Math.ceil(4000 / 256));
    expect(simulation.promptRuns).toBeLessThanOrEqual(2 * document.runs + 1);
  });

  it("is cut into smaller pieces as soon as somebody else is there", () => {
    const simulation = new Simulation(usual);
    const document = simulation.add({ promptLength: 2000, maxTokens: 1 });
    for (let i = 0; i < 2; i++) simulation.prompts();
    expect(document.computed).toBe(512);
    simulation.add({ promptLength: 2000, maxTokens: 1 });
    for (let i = 0; i < 4; i++) simulation.prompts();
    expect(simulation.all.reduce((sum, { computed }) => sum + computed, 0)).toBe(512 + 2 * 256);
  });
});

describe("short prompts", () => {
  it("that may keep company are computed in one run, the others by themselves", () => {
    const simulation = new Simulation(usual);
    const of = (promptLength: number, company?: string) =>
      simulation.add({ promptLength, maxTokens: 2, company });
    const together = [of(40, "step"), of(44, "step"), of(38, "step")];
    const apart = [of(40), of(40, "prefill"), of(400, "step"), of(1, "step"), of(100, "step")];
    const runs: unknown[][] = [];
    while (apart.some(({ state }) => state === "waiting" || state === "prefill")) {
      const run = simulation.prompts();
      if (run.length > 0) runs.push(run);
    }
    expect(runs).toContainEqual(together);
    expect(runs.filter(({ length }) => length > 1)).toHaveLength(1);
  });
});

it("slots double, so that few arrivals move memory, up to what there is", () => {
  expect([0, 1, 2, 3, 4, 5, 8, 9, 12].map((count) => slotsFor(count, 12))).toEqual([
    0, 1, 2, 4, 4, 8, 8, 12, 12,
  ]);
});

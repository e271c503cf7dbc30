import { describe, expect, it } from "vitest";
import { EncoderQueue, type QueuedRow } from "../../../src/core/scheduler/encoder-queue.js";
import fc from "../../property.js";

const callers = Array.from({ length: 4 }, () => ({}));

const row = fc.record({
  length: fc.integer({ min: 1, max: 300 }),
  budget: fc.constantFrom(40, 256, 2048),
  caller: fc.constantFrom(...callers),
  priority: fc.constantFrom(-1, 0, 0, 0, 5),
});
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ add: fc.array(row, { minLength: 1, maxLength: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.nat() }) },
  { weight: 2, arbitrary: fc.constant("take" as const) },
);

describe("whatever comes, leaves and runs, a batch", () => {
  it("holds waiting rows only, each once, and in the end every row was in one or was removed", () => {
    const seen = new Set<QueuedRow>();
    simulate({
      start: () => seen.clear(),
      batch: (rows, before) => {
        for (const one of rows) {
          expect(before).toContain(one);
          expect(seen.has(one)).toBe(false);
          seen.add(one);
        }
      },
      end: (added, removed) => {
        expect(seen.size + removed.size).toBe(added.length);
        expect(added.every((one) => seen.has(one) !== removed.has(one))).toBe(true);
      },
    });
  });

  it("stays within the budget of each of its rows, unless it is one row", () => {
    simulate({
      batch: (rows) => {
        expect(rows.length).toBeGreaterThan(0);
        const longest = Math.max(...rows.map(({ length }) => length));
        for (const { budget } of rows)
          if (rows.length > 1) expect(rows.length * longest).toBeLessThanOrEqual(budget);
      },
    });
  });

  it("has the row that waits longest, or the next one has it", () => {
    let overdue: QueuedRow | undefined;
    simulate({
      start: () => {
        overdue = undefined;
      },
      batch: (rows, before) => {
        if (overdue && before.includes(overdue)) expect(rows).toContain(overdue);
        overdue = rows.includes(before[0]) ? undefined : before[0];
      },
    });
  });

  it("is told by length, and the queue knows what still waits", () => {
    simulate({
      batch: (rows, before, queue) => {
        const lengths = rows.map(({ length }) => length);
        expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
        const rest = before.filter((one) => !rows.includes(one));
        expect(queue.size).toBe(rest.length);
        expect(queue.tokens).toBe(rest.reduce((sum, { length }) => sum + length, 0));
      },
    });
  });
});

describe("a single text", () => {
  it("waits for two batches a caller at most, however much the others sent before", () => {
    const sent = fc.array(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 80 }), {
      maxLength: 6,
    });
    fc.assert(
      fc.property(sent, fc.nat({ max: 20 }), fc.integer({ min: 1, max: 300 }), (bulks, taken, length) => {
        const queue = new EncoderQueue();
        for (const lengths of bulks) for (const one of rowsOf(lengths)) queue.add(one);
        for (let i = 0; i < taken; i++) queue.take();
        const [late] = rowsOf([length]);
        queue.add(late);
        let batches = 1;
        while (!queue.take().includes(late)) batches++;
        expect(batches).toBeLessThanOrEqual(2 * (bulks.length + 1));
      }),
    );
  });

  it("of higher priority is in the next batch or the one after", () => {
    const queue = new EncoderQueue();
    for (const one of rowsOf(Array.from({ length: 100 }, () => 100))) queue.add(one);
    for (const one of rowsOf(Array.from({ length: 100 }, () => 5))) queue.add(one);
    const [urgent] = rowsOf([250], { priority: 1 });
    queue.add(urgent);
    expect([...queue.take(), ...queue.take()]).toContain(urgent);
  });

  it("has what was sent before no part in: who filled an idle queue is not behind those who come later", () => {
    const queue = new EncoderQueue();
    const [first, second] = [{}, {}];
    for (const one of rowsOf([100, 100, 100], { caller: first, budget: 100 })) queue.add(one);
    while (queue.size > 0) queue.take();
    const early = rowsOf([100, 100], { caller: first, budget: 100 });
    const late = rowsOf([100, 100], { caller: second, budget: 100 });
    for (const one of [...early, ...late]) queue.add(one);
    const order = [0, 1, 2, 3].map(() => queue.take()[0]);
    expect(order.indexOf(early[1])).toBeLessThan(order.indexOf(late[1]));
  });
});

describe("grouping", () => {
  it("fills batches with what is alike, and pads little: 512 texts of 4 to 250 tokens", () => {
    const lengths = Array.from({ length: 512 }, (_, i) => 4 + ((i * 97) % 247));
    for (const order of [lengths, lengths.toSorted((a, b) => a - b)]) {
      const queue = new EncoderQueue();
      for (const one of rowsOf(order)) queue.add(one);
      const total = queue.tokens;
      const batches = drain(queue);
      const padded = batches.reduce(
        (sum, rows) => sum + rows.length * Math.max(...rows.map((one) => one.length)),
        0,
      );
      expect(padded / total).toBeLessThan(1.05);
      expect(batches.length).toBeLessThan(50);
    }
  });

  it("runs a long text apart from short ones, and texts that differ little together", () => {
    const queue = new EncoderQueue();
    for (const one of rowsOf([5, 200, 7, 6, 210])) queue.add(one);
    expect(drain(queue).map((rows) => rows.map(({ length }) => length))).toEqual([
      [5, 6, 7],
      [200, 210],
    ]);
  });

  it("lets a text run alone that is longer than the budget", () => {
    const queue = new EncoderQueue();
    for (const one of rowsOf([500, 500, 3], { budget: 100 })) queue.add(one);
    expect(drain(queue).map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  it("gives nothing where nothing waits", () => {
    const queue = new EncoderQueue();
    expect(queue.take()).toEqual([]);
    const [one] = rowsOf([3]);
    expect(queue.remove(one)).toBe(false);
    queue.add(one);
    expect(queue.remove(one)).toBe(true);
    expect(queue.remove(one)).toBe(false);
    expect(queue.take()).toEqual([]);
  });
});

/** Rows of one caller. */
function rowsOf(lengths: number[], options: Partial<QueuedRow> = {}): QueuedRow[] {
  const caller = {};
  return lengths.map((length) => ({ length, budget: 2048, caller, priority: 0, ...options }));
}

function drain(queue: EncoderQueue<QueuedRow>): QueuedRow[][] {
  const batches: QueuedRow[][] = [];
  while (queue.size > 0) batches.push(queue.take());
  return batches;
}

/** Plays random arrivals, removals and batches, and takes what is left in the end. */
function simulate(watch: {
  start?: () => void;
  /** `before`: what waited, by arrival. */
  batch?: (rows: QueuedRow[], before: QueuedRow[], queue: EncoderQueue<QueuedRow>) => void;
  end?: (added: QueuedRow[], removed: Set<QueuedRow>) => void;
}): void {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      watch.start?.();
      const queue = new EncoderQueue<QueuedRow>();
      const added: QueuedRow[] = [];
      const removed = new Set<QueuedRow>();
      let waiting: QueuedRow[] = [];
      const take = () => {
        const rows = queue.take();
        if (waiting.length > 0) watch.batch?.(rows, waiting, queue);
        waiting = waiting.filter((one) => !rows.includes(one));
      };
      for (const one of steps) {
        if (one === "take") take();
        else if ("remove" in one) {
          const [gone] = waiting.splice(one.remove % Math.max(1, waiting.length), 1);
          if (!gone) continue;
          expect(queue.remove(gone)).toBe(true);
          removed.add(gone);
        } else {
          for (const generated of one.add) {
            const fresh = { ...generated };
            queue.add(fresh);
            waiting.push(fresh);
            added.push(fresh);
          }
        }
      }
      while (queue.size > 0) take();
      watch.end?.(added, removed);
    }),
  );
}

import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { interleaved } from "../../src/server/interleaved.js";
import fc from "../property.js";

const never = new AbortController().signal;

describe("generators side by side", () => {
  it("give all that each of them gives, in its order", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(fc.nat(2), { maxLength: 6 }), { maxLength: 5 }), async (pauses) => {
        const sources = pauses.map(
          (steps) =>
            async function* () {
              for (const [i, turns] of steps.entries()) {
                for (let turn = 0; turn < turns; turn++) await Promise.resolve();
                yield i;
              }
            },
        );
        const found = pauses.map(() => [] as number[]);
        for await (const { source, event } of interleaved(sources, never)) found[source].push(event);
        expect(found).toEqual(pauses.map((steps) => [...steps.keys()]));
      }),
      { numRuns: 50 },
    );
  });

  it("are all ended by the error of one", async () => {
    const ended: string[] = [];
    async function* waiting(signal: AbortSignal) {
      try {
        yield 1;
        await delay(60_000, undefined, { signal });
      } finally {
        ended.push("waiting");
      }
    }
    async function* failing() {
      yield 2;
      throw new RangeError("too far");
    }
    const events: number[] = [];
    const all = async () => {
      for await (const { event } of interleaved<number>([waiting, failing], never)) events.push(event);
    };
    await expect(all()).rejects.toThrow("too far");
    expect(events.sort()).toEqual([1, 2]);
    expect(ended).toEqual(["waiting"]);
  });

  it("are ended by whoever leaves, and no faster than they are read", async () => {
    const made = [0, 0];
    const counting = (i: number) =>
      async function* () {
        for (;;) yield ++made[i];
      };
    for await (const { event } of interleaved([counting(0), counting(1)], never)) if (event === 3) break;
    await delay(5);
    expect(Math.max(...made)).toBeLessThanOrEqual(4);
  });
});

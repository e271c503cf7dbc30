import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { EventQueue } from "../../../src/core/tasks/event-queue.js";
import fc from "../../property.js";
import { collect } from "../../tiny-model.js";

it("gives events in order, each once, however writer and reader take turns", async () => {
  const script = fc.array(fc.oneof(fc.constant("turn" as const), fc.constant("push" as const)), {
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(script, script, async (written, read) => {
      const queue = new EventQueue<number>();
      const seen: number[] = [];
      const reading = (async () => {
        for await (const event of queue) {
          seen.push(event);
          if (read[seen.length] === "turn") await turn();
        }
      })();
      let count = 0;
      for (const what of written) {
        if (what === "push") queue.push(count++);
        else await turn();
      }
      queue.end();
      await reading;
      expect(seen).toEqual(Array.from({ length: count }, (_, i) => i));
    }),
    { numRuns: 60 },
  );
});

it("throws an error behind the last event", async () => {
  const queue = new EventQueue<string>();
  queue.push("a");
  queue.push("b");
  queue.end(new Error("broken"));
  const seen: string[] = [];
  const reading = (async () => {
    for await (const event of queue) seen.push(event);
  })();
  await expect(reading).rejects.toThrow("broken");
  expect(seen).toEqual(["a", "b"]);
});

it("ends without events, also for a reader that waits already", async () => {
  const queue = new EventQueue<string>();
  const reading = collect(queue);
  await turn();
  queue.end();
  expect(await reading).toEqual([]);
});

import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { windows } from "../../../src/core/tasks/input-window.js";
import { collect } from "../../tiny-model.js";

async function* stream<T>(items: T[], pauses: Record<number, number> = {}): AsyncGenerator<T> {
  for (const [i, item] of items.entries()) {
    if (pauses[i]) await delay(pauses[i]);
    yield item;
  }
}

describe("windows of an input", () => {
  it("are full as long as there is enough, from a list as from a stream", async () => {
    const items = [1, 2, 3, 4, 5, 6, 7];
    const expected = [[1, 2, 3], [4, 5, 6], [7]];
    expect(await collect(windows(items, 3))).toEqual(expected);
    expect(await collect(windows(new Set(items), 3))).toEqual(expected);
    expect(await collect(windows(stream(items), 3))).toEqual(expected);
    expect(await collect(windows(stream(items.slice(0, 6)), 3))).toEqual(expected.slice(0, 2));
  });

  it("are none of nothing", async () => {
    expect(await collect(windows([], 3))).toEqual([]);
    expect(await collect(windows(stream([]), 3))).toEqual([]);
  });

  it("do not wait for a producer that is slow", async () => {
    expect(await collect(windows(stream([1, 2, 3], { 2: 200 }), 10))).toEqual([[1, 2], [3]]);
  });

  it("pass on the error of the producer", async () => {
    async function* failing() {
      yield 1;
      throw new Error("the pipe broke");
    }
    await expect(collect(windows(failing(), 10))).rejects.toThrow("the pipe broke");
  });

  it("let the producer clean up when nobody wants more", async () => {
    let closed = false;
    async function* endless() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed = true;
      }
    }
    for await (const window of windows(endless(), 4)) if (window.length === 4) break;
    expect(closed).toBe(true);
  });
});

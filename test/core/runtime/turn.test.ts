import { describe, expect, it } from "vitest";
import { Turn } from "../../../src/core/runtime/turn.js";

describe("a turn", () => {
  it("goes to one at a time, in the order of asking, also past one that fails", async () => {
    const turn = new Turn();
    const log: string[] = [];
    const work = async (name: string, fail = false) => {
      using _turn = await turn.take();
      log.push(`${name} begins`);
      await new Promise((resolve) => setTimeout(resolve, 1));
      log.push(`${name} ends`);
      if (fail) throw new Error(name);
    };
    await Promise.allSettled([work("a"), work("b", true), work("c")]);
    expect(log).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
  });

  it("is given up by whoever is stopped while waiting, and the others keep theirs", async () => {
    const turn = new Turn();
    const first = await turn.take();
    const controller = new AbortController();
    const stopped = expect(turn.take(controller.signal)).rejects.toMatchObject({ code: "aborted" });
    const third = turn.take();
    controller.abort();
    await stopped;
    first[Symbol.dispose]();
    (await third)[Symbol.dispose]();
    await expect(turn.take(AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    using _again = await turn.take();
  });
});

import { describe, expect, it } from "vitest";
import { feedInput } from "../../../src/core/host/input-flow.js";
import { ReplayInput } from "../../../src/core/host/replay-input.js";
import type { EmbedInput } from "../../../src/core/requests.js";
import fc from "../../property.js";
import { collect } from "../../tiny-model.js";
import { patience } from "./hosted-engine.js";

/** A source that notes what was asked of it. */
function counted(texts: string[]) {
  const seen = { given: 0, closed: 0 };
  async function* source() {
    try {
      for (const text of texts) {
        seen.given++;
        yield text;
      }
    } finally {
      seen.closed++;
    }
  }
  return { seen, source: source() };
}

async function take(iterator: AsyncIterator<string>, count: number): Promise<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) {
    const step = await iterator.next();
    if (step.done) break;
    texts.push(step.value);
  }
  return texts;
}

describe("an input that may be read again", () => {
  it("is the same from its beginning for every reader, and its source is read once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string(), { maxLength: 20 }),
        fc.array(fc.nat(20), { maxLength: 3 }),
        async (texts, reads) => {
          const { seen, source } = counted(texts);
          const input = new ReplayInput(source);
          for (const count of reads)
            expect(await take(input[Symbol.asyncIterator](), count)).toEqual(texts.slice(0, count));
          const last = input[Symbol.asyncIterator]();
          // Released in the middle of a second reading, none of the kept texts may be lost.
          const first = await take(last, 3);
          input.release();
          expect([...first, ...(await take(last, Number.POSITIVE_INFINITY))]).toEqual(texts);
          expect(seen.given).toBe(texts.length);
        },
      ),
    );
  });

  it("keeps what it read for a reader that was given up", async () => {
    const input = new ReplayInput(counted(["one", "two", "three"]).source);
    const abandoned = input[Symbol.asyncIterator]();
    await abandoned.next();
    void abandoned.next();
    expect(await collect({ [Symbol.asyncIterator]: () => input[Symbol.asyncIterator]() })).toEqual([
      "one",
      "two",
      "three",
    ]);
  });

  it("closes its source once, whoever reads", async () => {
    const { seen, source } = counted(["one", "two"]);
    const input = new ReplayInput(source);
    await input[Symbol.asyncIterator]().next();
    input.close();
    input.close();
    await expect.poll(() => seen.closed, patience).toBe(1);
    expect((await input[Symbol.asyncIterator]().next()).value).toBe("one");
  });
});

describe("texts on their way to a host", () => {
  it("go as far as they are wanted and no further, what is there at once in one message", async () => {
    const { seen, source } = counted(Array.from({ length: 1000 }, (_, i) => String(i)));
    const messages: EmbedInput[][] = [];
    const flow = feedInput(source, 1, (message) => {
      if (message.type === "input") messages.push(message.texts);
    });
    flow.want(10);
    await expect.poll(() => messages.flat().length, patience).toBe(10);
    expect(messages).toHaveLength(1);
    expect(seen.given).toBe(10);
    flow.want(500);
    await expect.poll(() => messages.flat().length, patience).toBe(510);
    expect(messages.flat()).toEqual(Array.from({ length: 510 }, (_, i) => String(i)));
    flow.close();
    await expect.poll(() => seen.closed, patience).toBe(1);
  });

  it("don't wait for the next ones of a slow source", async () => {
    async function* slow() {
      yield "now";
      await new Promise(() => {});
    }
    const messages: EmbedInput[][] = [];
    const flow = feedInput(slow(), 1, (message) => {
      if (message.type === "input") messages.push(message.texts);
    });
    flow.want(100);
    await expect.poll(() => messages, patience).toEqual([["now"]]);
    flow.close();
  });
});

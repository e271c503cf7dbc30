import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Encoder } from "../../../src/core/runtime/encoder.js";
import { EncoderBatcher } from "../../../src/core/scheduler/encoder-batcher.js";
import { encoderGoldens } from "../../golden/reference.js";
import { graphsFolder, tinyEncoder } from "../../tiny-model.js";

const root = graphsFolder();
const dtypes = ["fp32", "int8", "int4"] as const;

describe.each(encoderGoldens.flatMap((name) => dtypes.map((dtype) => [name, dtype] as const)))(
  "%s in %s",
  (name, dtype) => {
    it("gives each row the bits of a run alone, whoever else is asking", async () => {
      const { encoder, batcher, runs } = await open({ name, dtype });
      const random = generator(1);
      const rows = Array.from({ length: 120 }, (_, i) => tokens(1 + random([3, 12, 60][i % 3]), random));
      const priorities = [0, 0, 0, 1];
      const budgets = [undefined, undefined, 100, 2048];
      // Eight callers with rows of all lengths, each in its own rhythm; two of them leave on the way.
      const callers = Array.from({ length: 8 }, () => new AbortController());
      const answers = await Promise.allSettled(
        rows.map(async (row, i) => {
          const caller = callers[i % 8];
          const options = { priority: priorities[random(4)], batchTokens: budgets[random(4)] };
          await delay(random(8));
          const answer = batcher.submit(row, copy(encoder), { ...options, signal: caller.signal });
          if (i === 40 || i === 41) caller.abort();
          return answer;
        }),
      );
      expect(runs().length).toBeLessThan(rows.length);
      let answered = 0;
      for (const [i, answer] of answers.entries()) {
        if (answer.status === "rejected") {
          expect(i % 8).toBeLessThan(2);
          expect(answer.reason).toMatchObject({ code: "aborted" });
          continue;
        }
        const { data } = await encoder.run([rows[i]]);
        expect(same(answer.value, data)).toBe(true);
        answered++;
      }
      expect(answered).toBeGreaterThanOrEqual(90);
    });
  },
);

describe("rows that come while a run is under way", () => {
  it("share the next one, and the first did not wait for them", async () => {
    const { encoder, batcher, begun, runs } = await open();
    const first = batcher.submit([5, 6, 7], copy(encoder));
    await begun;
    const others = [8, 9, 10].map((id) => batcher.submit([5, id], copy(encoder)));
    await Promise.all([first, ...others]);
    const next = [
      [5, 8],
      [5, 9],
      [5, 10],
    ];
    expect(runs()).toEqual([[[5, 6, 7]], next]);
  });

  it("of one caller stay within the budget of tokens, and a longer row runs alone", async () => {
    const { encoder, batcher, runs } = await open({ batchTokens: 64 });
    const { signal } = new AbortController();
    const rows = Array.from({ length: 30 }, (_, i) => tokens(i < 29 ? 20 : 60, generator(i)));
    await Promise.all(
      [...rows, tokens(64, generator(9))].map((row) => batcher.submit(row, copy(encoder), { signal })),
    );
    expect(
      runs()
        .map(({ length }) => length)
        .toSorted(),
    ).toEqual([1, 1, 2, ...Array(9).fill(3)]);
  });
});

describe("an abort", () => {
  it("keeps a row that waits from running, and disturbs nobody else", async () => {
    const { encoder, batcher, begun, runs } = await open();
    const controller = new AbortController();
    const [stays, staysToo] = [
      [5, 6, 7],
      [5, 8],
    ];
    const first = batcher.submit(stays, copy(encoder));
    await begun;
    const read = vi.fn();
    const gone = batcher.submit([5, 9], read, { signal: controller.signal });
    const other = batcher.submit(staysToo, copy(encoder));
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: "aborted" });
    const answers = await Promise.all([first, other]);
    expect(runs()).toEqual([[stays], [staysToo]]);
    expect(read).not.toHaveBeenCalled();
    expect(same(answers[1], (await encoder.run([staysToo])).data)).toBe(true);
  });

  it("of one caller leaves a run to the others that it answers", async () => {
    const { encoder, batcher, begun, run } = await open();
    const controller = new AbortController();
    const row = tokens(60, generator(3));
    const read = vi.fn();
    const gone = batcher.submit(tokens(60, generator(4)), read, { signal: controller.signal });
    const other = batcher.submit(row, copy(encoder));
    await begun;
    controller.abort();
    await expect(gone).rejects.toMatchObject({ code: "aborted" });
    const states = await other;
    expect(run.mock.calls[0][1]?.aborted).toBe(false);
    expect(read).not.toHaveBeenCalled();
    expect(same(states, (await encoder.run([row])).data)).toBe(true);
  });

  it("of all whom a run answers ends it, and the next one starts", async () => {
    const { encoder, batcher, begun, run } = await open();
    const [first, second] = [new AbortController(), new AbortController()];
    const gone = [first, second].map(({ signal }, i) =>
      batcher.submit(tokens(60, generator(i)), copy(encoder), { signal }),
    );
    await begun;
    first.abort();
    expect(run.mock.calls[0][1]?.aborted).toBe(false);
    second.abort();
    expect(run.mock.calls[0][1]?.aborted).toBe(true);
    for (const { reason } of (await Promise.allSettled(gone)) as PromiseRejectedResult[]) {
      expect(reason).toMatchObject({ code: "aborted" });
    }
    expect(await batcher.submit([5, 6], copy(encoder))).toHaveLength(2 * encoder.info.hiddenSize);
  });

  it("before the row comes is an answer at once", async () => {
    const { encoder, batcher, runs } = await open();
    const answer = batcher.submit([5, 6], copy(encoder), { signal: AbortSignal.abort("enough") });
    await expect(answer).rejects.toMatchObject({ code: "aborted", cause: "enough" });
    expect(runs()).toEqual([]);
  });
});

describe("what is wrong with a row", () => {
  it("is told to its caller, and the others of its run are answered", async () => {
    const { encoder, batcher } = await open();
    const rows = [
      [5, 6, 7],
      [5, 99_999_999],
      [5, 8],
    ];
    const answers = await Promise.allSettled(rows.map((row) => batcher.submit(row, copy(encoder))));
    expect(answers.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(answers[1]).toMatchObject({ reason: { code: "runtime_error" } });
    for (const i of [0, 2]) {
      const { value } = answers[i] as PromiseFulfilledResult<Float32Array>;
      expect(same(value, (await encoder.run([rows[i]])).data)).toBe(true);
    }
  });

  it("is told when the reader throws, and when there are no tokens", async () => {
    const { encoder, batcher } = await open();
    const [broken, empty, fine] = await Promise.allSettled([
      batcher.submit([5, 6], () => {
        throw new Error("unreadable");
      }),
      batcher.submit([], copy(encoder)),
      batcher.submit([5, 7], copy(encoder)),
    ]);
    expect(broken).toMatchObject({ status: "rejected", reason: { message: "unreadable" } });
    expect(empty).toMatchObject({ status: "rejected", reason: { code: "empty_input" } });
    expect(fine).toMatchObject({ status: "fulfilled" });
  });
});

describe("closing", () => {
  it("ends the run, tells those who wait, and refuses who comes later", async () => {
    const { encoder, batcher, begun, runs } = await open();
    const running = batcher.submit(tokens(60, generator(1)), copy(encoder));
    await begun;
    const waiting = batcher.submit([5, 6], copy(encoder));
    const answers = Promise.allSettled([running, waiting]);
    await batcher[Symbol.asyncDispose]();
    for (const answer of await answers) expect(answer).toMatchObject({ reason: { code: "aborted" } });
    await expect(batcher.submit([5, 6], copy(encoder))).rejects.toMatchObject({ code: "internal_error" });
    expect(runs()).toHaveLength(1);
  });
});

/** A batcher that goes when the test ends; `begun`: its first run is under way; the rows of each run that has begun. */
async function open({
  name = "bert-mean",
  dtype = "fp32",
  ...options
}: {
  name?: (typeof encoderGoldens)[number];
  dtype?: (typeof dtypes)[number];
  batchTokens?: number;
} = {}) {
  const encoder = await tinyEncoder(name, { root: root(), dtype });
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const original = encoder.run.bind(encoder);
  const run = vi.spyOn(encoder, "run").mockImplementation((...args) => {
    const result = original(...args);
    begin();
    return result;
  });
  const batcher = new EncoderBatcher(encoder, options);
  onTestFinished(() => batcher[Symbol.asyncDispose]());
  return { encoder, batcher, begun, run, runs: () => run.mock.calls.map(([rows]) => rows) };
}

/** A reader that keeps a row's hidden states. */
function copy({ info }: Encoder) {
  return (states: Float32Array, offset: number, length: number): Float32Array =>
    states.slice(offset, offset + length * info.hiddenSize);
}

/** The same bits, up to the end of the first. */
function same(states: Float32Array, alone: Float32Array): boolean {
  return states.length > 0 && states.every((value, i) => Object.is(value, alone[i]));
}

function tokens(length: number, random: (below: number) => number): number[] {
  return Array.from({ length }, () => random(90));
}

/** Numbers from 0 up to a bound, the same ones each time. Source of the constants: Numerical Recipes, ranqd1. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/core/graph/builder.js";
import { Session } from "../../../src/core/runtime/session.js";
import { createTensor, type Tensor } from "../../../src/core/tensor.js";
import { floats, openGraph, writeGraph } from "../../graph-session.js";
import { graphsFolder, tinyGraph } from "../../tiny-model.js";

const graphs = graphsFolder();

/** y = x + 1 for x [n]. */
function plusOne(): GraphBuilder {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", ["n"]);
  g.output(g.node("Add", [x, g.constant("float32", [1], [1])], {}, "y"), "float32", ["n"]);
  return g;
}

const SIZE = 512;

/** A run that takes a while: x [512, 512] through as many products with a matrix of zeros. */
async function longRun(products: number): Promise<{ session: Session; x: Tensor; y: Tensor }> {
  const g = new GraphBuilder();
  const x = g.input("x", "float32", [SIZE, SIZE]);
  const [w] = g.weights({
    specs: [{ name: "w", type: "float32", shape: [SIZE, SIZE] }],
    async *chunks() {
      yield [new Uint8Array(SIZE * SIZE * 4)];
    },
  });
  let value = x;
  for (let i = 0; i < products; i++)
    value = g.node("MatMul", [value, w], {}, i === products - 1 ? "y" : undefined);
  g.output(value, "float32", [SIZE, SIZE]);
  const session = await openGraph(g);
  return { session, x: createTensor("float32", [SIZE, SIZE]), y: createTensor("float32", [SIZE, SIZE]) };
}

describe("a session", () => {
  it("reads and writes bound memory in place, as often as it runs", async () => {
    const session = await openGraph(plusOne());
    const x = floats([3], [1, 2, 3]);
    const y = createTensor("float32", [3]);
    const binding = session.createBinding().input("x", x).output("y", y);
    await binding.run();
    expect([...y.data]).toEqual([2, 3, 4]);
    x.data.set([10, 20, 30]);
    await binding.run();
    expect([...y.data]).toEqual([11, 21, 31]);
    const longer = createTensor("float32", [5]);
    await binding
      .input("x", floats([5], [0, 0, 0, 0, 9]))
      .output("y", longer)
      .run();
    expect([...longer.data]).toEqual([1, 1, 1, 1, 10]);
  });

  it("keeps bindings apart that run at the same time", async () => {
    const session = await openGraph(plusOne());
    const results = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const y = createTensor("float32", [1]);
        await session
          .createBinding()
          .input("x", floats([1], [i]))
          .output("y", y)
          .run();
        return y.data[0];
      }),
    );
    expect(results).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("takes threads, arena, optimisation level and config entries", async () => {
    const graph = await writeGraph(plusOne());
    for (const options of [
      { threads: 1, arena: false, optimization: "none" },
      { threads: 2, memoryPattern: true, optimization: "basic" },
      { optimization: "extended", config: { "session.intra_op.allow_spinning": "0" } },
    ] as const) {
      await using session = await Session.create(graph, options);
      const y = createTensor("float32", [1]);
      await session
        .createBinding()
        .input("x", floats([1], [1]))
        .output("y", y)
        .run();
      expect(y.data[0]).toBe(2);
    }
  });
});

describe("an error of the runtime", () => {
  it("says NO_SUCHFILE for a graph that is not there", async () => {
    await expect(Session.create(path.join(graphs(), "none.onnx"))).rejects.toMatchObject({
      code: "runtime_error",
      message: expect.stringMatching(/CreateSession: NO_SUCHFILE: .*none\.onnx/),
    });
  });

  it("says INVALID_PROTOBUF for bytes that are no graph", async () => {
    const file = path.join(graphs(), "noise.onnx");
    await writeFile(file, Buffer.from("not a graph at all"));
    await expect(Session.create(file)).rejects.toMatchObject({
      code: "runtime_error",
      message: expect.stringMatching(/INVALID_PROTOBUF/),
    });
  });

  it("names the operator of a graph that can't be", async () => {
    const g = new GraphBuilder();
    g.output(g.node("NoSuchOperator", [g.input("x", "float32", [1])]), "float32", [1]);
    await expect(Session.create(await writeGraph(g))).rejects.toMatchObject({
      code: "runtime_error",
      message: expect.stringMatching(/NoSuchOperator/),
    });
  });

  it("says INVALID_ARGUMENT for a tensor of another rank, type or name than the graph's", async () => {
    const session = await openGraph(plusOne());
    const y = createTensor("float32", [1]);
    const invalid = { code: "runtime_error", message: expect.stringMatching(/INVALID_ARGUMENT/) };
    await expect(
      (async () =>
        session
          .createBinding()
          .input("x", floats([1, 1], [1]))
          .output("y", y)
          .run())(),
    ).rejects.toMatchObject(invalid);
    await expect(
      (async () =>
        session
          .createBinding()
          .input("x", createTensor("int64", [1]))
          .output("y", y)
          .run())(),
    ).rejects.toMatchObject(invalid);
    await expect(
      (async () =>
        session
          .createBinding()
          .input("z", floats([1], [1]))
          .output("y", y)
          .run())(),
    ).rejects.toMatchObject({ code: "runtime_error", message: expect.stringMatching(/z/) });
    await expect(session.createBinding().output("y", y).run()).rejects.toMatchObject({
      code: "runtime_error",
    });
  });

  it("comes before native code sees memory that is too small for its shape", async () => {
    const session = await openGraph(plusOne());
    expect(() =>
      session.createBinding().input("x", { type: "float32", shape: [4], data: new Float32Array(3) }),
    ).toThrow(/3 elements can't hold \[4\]/);
  });

  it("comes for an output of the wrong shape, and the session works on", async () => {
    const session = await openGraph(plusOne());
    const binding = session.createBinding().input("x", floats([4], [1, 2, 3, 4]));
    await expect(binding.output("y", createTensor("float32", [2])).run()).rejects.toMatchObject({
      code: "runtime_error",
    });
    const y = createTensor("float32", [4]);
    await binding.output("y", y).run();
    expect([...y.data]).toEqual([2, 3, 4, 5]);
  });

  it("keeps a second run and other memory away from a binding that is running", async () => {
    const { session, x, y } = await longRun(20);
    const binding = session.createBinding().input("x", x).output("y", y);
    const first = binding.run();
    await expect(binding.run()).rejects.toMatchObject({ code: "internal_error" });
    expect(() => binding.input("x", createTensor("float32", [SIZE, SIZE]))).toThrow(/already running/);
    await first;
    await binding.input("x", x).run();
  });
});

describe("a long run", () => {
  // A busy machine may stand still for a moment, so what is timed has more than one try.
  it("leaves the event loop free: a timer keeps ticking", { retry: 2 }, async () => {
    const { session, x, y } = await longRun(60);
    const binding = session.createBinding().input("x", x).output("y", y);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const before = performance.eventLoopUtilization();
    const duration = await time(() => binding.run());
    const { utilization } = performance.eventLoopUtilization(before);
    clearInterval(timer);
    expect(duration).toBeGreaterThan(100);
    expect(ticks).toBeGreaterThan(8);
    expect(utilization).toBeLessThan(0.5);
  });

  it("ends soon after an abort, and the binding works afterwards", { retry: 2 }, async () => {
    const { session, x, y } = await longRun(60);
    const binding = session.createBinding().input("x", x).output("y", y);
    const whole = await time(() => binding.run());
    const controller = new AbortController();
    const stopped = time(() =>
      expect(binding.run(controller.signal)).rejects.toMatchObject({ code: "aborted" }),
    );
    setTimeout(() => controller.abort(), whole / 10);
    expect(await stopped).toBeLessThan(whole * 0.8);
    await binding.run(new AbortController().signal);
    await expect(binding.run(AbortSignal.abort())).rejects.toMatchObject({ code: "aborted" });
    await binding.run();
  });

  it("is stopped and waited for when its session is disposed", async () => {
    const { session, x, y } = await longRun(60);
    const run = session.createBinding().input("x", x).output("y", y).run();
    const failed = expect(run).rejects.toMatchObject({ code: "aborted" });
    await session[Symbol.asyncDispose]();
    await failed;
    expect(() => session.createBinding()).toThrow(/disposed/);
  });

  it("is waited for by the session, too, when its binding is being disposed already", async () => {
    const { session, x, y } = await longRun(60);
    const binding = session.createBinding().input("x", x).output("y", y);
    let ended = false;
    const run = binding.run().catch(() => {
      ended = true;
    });
    void binding[Symbol.asyncDispose]();
    await session[Symbol.asyncDispose]();
    expect(ended).toBe(true);
    await run;
  });
});

describe("disposing", () => {
  it("twice is harmless, and what is disposed says so", async () => {
    const session = await openGraph(plusOne());
    const binding = session.createBinding().input("x", floats([1], [1]));
    await Promise.all([binding[Symbol.asyncDispose](), binding[Symbol.asyncDispose]()]);
    await binding[Symbol.asyncDispose]();
    await expect(binding.run()).rejects.toMatchObject({ code: "internal_error" });
    expect(() => binding.input("x", floats([1], [1]))).toThrow(/disposed/);
    await Promise.all([session[Symbol.asyncDispose](), session[Symbol.asyncDispose]()]);
    await session[Symbol.asyncDispose]();
  });

  it("gives all memory back: creating, running, failing and releasing in a loop keeps RSS flat", async () => {
    const { graph } = await tinyGraph("bert-mean", { root: graphs() });
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ["--expose-gc", "--input-type=module", "-e", loop(graph)],
      {
        cwd: path.join(import.meta.dirname, "../../.."),
      },
    );
    const { before, after, rounds } = JSON.parse(stdout);
    // A session holds 1 MB of weights and its arena: leaking them would cost more than a megabyte a round.
    expect(rounds).toBe(60);
    expect((after - before) / 1e6).toBeLessThan(12);
  });
});

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** A program of the built runtime that reports its memory before and after many sessions. */
const loop = (graph: string) => `
  import { Session } from "./dist/core/runtime/session.js";
  import { createTensor } from "./dist/core/tensor.js";
  const zeros = createTensor;
  async function round() {
    await using session = await Session.create(${JSON.stringify(graph)}, { threads: 2 });
    const binding = session.createBinding();
    for (const length of [16, 17, 16]) {
      const lengths = zeros("int32", [2]);
      lengths.data.fill(length);
      binding.input("input_ids", zeros("int64", [2, length])).input("token_type_ids", zeros("int64", [2, length]));
      binding.input("position_ids", zeros("int64", [length])).input("lengths", lengths);
      binding.output("last_hidden_state", zeros("float32", [2, length, 128]));
      await binding.run();
    }
    await binding.output("last_hidden_state", zeros("float32", [1])).run().catch(() => {});
    await binding.run(AbortSignal.timeout(0)).catch(() => {});
    await Session.create("nothing.onnx").catch(() => {});
    await session.createBinding()[Symbol.asyncDispose]();
    session.createBinding();
  }
  const rss = () => (gc(), gc(), process.memoryUsage.rss());
  for (let i = 0; i < 30; i++) await round();
  const before = rss();
  let rounds = 0;
  for (; rounds < 60; rounds++) await round();
  console.log(JSON.stringify({ before, after: rss(), rounds }));
`;

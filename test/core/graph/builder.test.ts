import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../../src/core/graph/builder.js";
import { createTensor } from "../../../src/core/tensor.js";
import { floats, openGraph, runGraph } from "../../graph-session.js";

const stream = (name: string, shape: number[], values: number[]) => ({
  specs: [{ name, type: "float32" as const, shape }],
  async *chunks() {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    // Two pieces, as large tensors come.
    yield [bytes.subarray(0, 4)];
    yield [bytes.subarray(4)];
  },
});

describe("a graph", () => {
  it("runs in ONNX Runtime as it was written: inputs, nodes, constants, weights, attributes", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", ["rows", 2]);
    const [w] = g.weights(stream("w", [2, 3], [1, 2, 3, 4, 5, 6]));
    const product = g.at("layer").node("MatMul", [x, w]);
    const scaled = g.node("Mul", [product, g.constant("float32", [], [0.5])]);
    const [left, right] = g.nodes("Split", [scaled, g.constant("int64", [2], [1, 2])], { axis: -1 }, [
      "left",
      undefined,
    ]);
    g.output(left, "float32", ["rows", 1]);
    const sums = g.node("ReduceSum", [right, g.constant("int64", [1], [-1])], { keepdims: 0 }, "sums");
    g.output(sums, "float32", ["rows"]);
    const outputs = { left: createTensor("float32", [2, 1]), sums: createTensor("float32", [2]) };
    await runGraph(g, { inputs: { x: floats([2, 2], [1, 0, 0, 1]) }, outputs });
    expect([...outputs.left.data]).toEqual([0.5, 2]);
    expect([...outputs.sums.data]).toEqual([2.5, 5.5]);
  });

  it("names things by where they are, and no two alike", () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [1]);
    const layer = g.at("layers.0").at("attn");
    expect(layer.scope("qkv_proj")).toBe("/model/layers.0/attn/qkv_proj");
    expect(layer.node("Relu", [x])).toBe("/model/layers.0/attn/Relu/output_0");
    expect(layer.node("Relu", [x])).toBe("/model/layers.0/attn/Relu_1/output_0");
    expect(layer.node("Relu", [x], {}, "mine")).toBe("mine");
    g.weights(stream("w", [1], [1]));
    expect(() => layer.weights(stream("w", [1], [1]))).toThrow(/twice/);
    expect(() => g.view("nothing" as never, "v", [1])).toThrow(/no weight/);
  });

  it("writes equal constants once, and tells types and shapes apart", () => {
    const g = new GraphBuilder();
    expect(g.constant("int64", [1], [3])).toBe(g.at("deep").constant("int64", [1], [3]));
    const different = [
      g.constant("int64", [1], [3]),
      g.constant("int64", [], [3]),
      g.constant("float32", [1], [3]),
      g.constant("int64", [1], [4]),
    ];
    expect(new Set(different).size).toBe(4);
  });

  it("places weights on pages, one after the other, and views on what they show", () => {
    const g = new GraphBuilder();
    const [a] = g.weights(stream("a", [3], [1, 2, 3]));
    g.view(a, "a.column", [3, 1]);
    g.weights(stream("b", [2000], []));
    g.weights(stream("c", [1], []));
    const { streams, size } = g.layout();
    expect(streams.map(({ offsets }) => offsets)).toEqual([[0], [4096], [12288]]);
    expect(size).toBe(12292);
  });

  it("stores a weight once that two graphs declare, and each graph has only its own", () => {
    const g = new GraphBuilder();
    g.weights(stream("shared", [3], [1, 2, 3]));
    g.weights(stream("first", [1], [4]));
    const beside = g.graph("encoder");
    beside.weights(stream("shared", [3], [1, 2, 3]));
    beside.weights(stream("second", [1], [5]));
    expect(g.graph("encoder")).toBe(beside);
    expect([...g.graphs.keys()]).toEqual(["encoder"]);
    expect(beside.layout()).toEqual(g.layout());
    const names = g.layout().streams.map(({ stream: { specs } }) => specs[0].name);
    expect(names).toEqual(["shared", "first", "second"]);
    const [main, other] = [g, beside].map((graph) =>
      Buffer.from(graph.encode("weights.bin", {})).toString("latin1"),
    );
    expect([main, other].map((text) => names.filter((name) => text.includes(name)))).toEqual([
      ["shared", "first"],
      ["shared", "second"],
    ]);
    expect(() => beside.weights(stream("shared", [3], []))).toThrow("declared twice");
  });

  it("reads a view as the same numbers under another shape", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [1]);
    const [w] = g.weights(stream("w", [4], [1, 2, 3, 4]));
    const square = g.view(w, "square", [2, 2]);
    g.output(g.node("Add", [square, x], {}, "y"), "float32", [2, 2]);
    const y = createTensor("float32", [2, 2]);
    await runGraph(g, { inputs: { x: floats([1], [10]) }, outputs: { y } });
    expect([...y.data]).toEqual([11, 12, 13, 14]);
  });

  it("keeps whole numbers that are meant as floats", async () => {
    const g = new GraphBuilder();
    const x = g.input("x", "float32", [1]);
    // LeakyRelu takes a float: an int attribute would be refused.
    g.output(g.node("LeakyRelu", [x], { alpha: { float: 2 } }, "y"), "float32", [1]);
    const y = createTensor("float32", [1]);
    const session = await openGraph(g);
    await session
      .createBinding()
      .input("x", floats([1], [-3]))
      .output("y", y)
      .run();
    expect(y.data[0]).toBe(-6);
  });
});

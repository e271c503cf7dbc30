import { describe, expect, it } from "vitest";
import { addLayerNorm, addRmsNorm, layerNorm, rmsNorm } from "../../../../src/core/graph/blocks/norm.js";
import { GraphBuilder } from "../../../../src/core/graph/builder.js";
import { createTensor } from "../../../../src/core/tensor.js";
import { floats, runGraph } from "../../../graph-session.js";
import { buildContext, noise } from "../../../memory-weights.js";
import { largestDifference } from "../../../tiny-model.js";

const [ROWS, HIDDEN] = [3, 32];
// Large enough to show in the sixth digit.
const EPSILON = 1e-2;
const weight = noise(HIDDEN, 1);
const bias = noise(HIDDEN, 2);
const deltaBias = noise(HIDDEN, 3);
const vector = (values: Float32Array) => ({ shape: [HIDDEN], values });
const ctx = buildContext({ w: vector(weight), b: vector(bias), d: vector(deltaBias) }, { bits: 32 });
const x = noise(ROWS * HIDDEN, 4);
const delta = noise(ROWS * HIDDEN, 5);

const rms = (values: Float32Array) =>
  byRow(values, (row) => {
    const scale = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / HIDDEN + EPSILON);
    return row.map((value, i) => value * scale * weight[i]);
  });
const layer = (values: Float32Array) =>
  byRow(values, (row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / HIDDEN;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / HIDDEN;
    return row.map((value, i) => ((value - mean) / Math.sqrt(variance + EPSILON)) * weight[i] + bias[i]);
  });

function byRow(values: Float32Array, map: (row: number[]) => number[]): Float32Array {
  const rows = Array.from({ length: ROWS }, (_, r) =>
    map([...values.subarray(r * HIDDEN, (r + 1) * HIDDEN)]),
  );
  return Float32Array.from(rows.flat());
}

function graph() {
  const g = new GraphBuilder();
  const input = (name: string) => g.input(name, "float32", [1, "rows", HIDDEN]);
  return { g, x: input("x"), delta: input("delta") };
}

const shape = [1, ROWS, HIDDEN];
const inputs = { x: floats(shape, x), delta: floats(shape, delta) };

describe("a norm", () => {
  it("alone is RMSNorm or LayerNorm of its input", async () => {
    const { g, x: value } = graph();
    const outputs = {
      [rmsNorm(g, "rms", value, { weight: "w", epsilon: EPSILON }, ctx)]: rms(x),
      [layerNorm(g, "layer", value, { weight: "w", bias: "b", epsilon: EPSILON }, ctx)]: layer(x),
    };
    await check(g, outputs);
  });

  it("behind a sum gives the sum, too", async () => {
    const { g, x: value, delta: added } = graph();
    const sum = x.map((one, i) => one + delta[i]);
    const withBias = sum.map((one, i) => one + deltaBias[i % HIDDEN]);
    const first = addRmsNorm(g, "rms", value, added, { weight: "w", epsilon: EPSILON }, ctx);
    const norm = { weight: "w", bias: "b", epsilon: EPSILON };
    const second = addLayerNorm(g, "layer", value, added, undefined, norm, ctx);
    const bound = g.constant("float32", [HIDDEN], [...deltaBias]);
    const third = addLayerNorm(g, "biased", value, added, bound, norm, ctx, "named");
    expect(third.normed).toBe("named");
    await check(g, {
      [first.normed]: rms(sum),
      [first.sum]: sum,
      [second.normed]: layer(sum),
      [second.sum]: sum,
      [third.normed]: layer(withBias),
      [third.sum]: withBias,
    });
  });
});

async function check(g: GraphBuilder, expected: Record<string, Float32Array>): Promise<void> {
  const outputs = Object.fromEntries(
    Object.keys(expected).map((name) => [name, createTensor("float32", shape)]),
  );
  for (const name of Object.keys(expected)) g.output(name as never, "float32", [1, "rows", HIDDEN]);
  // Both are inputs of the graph, whether this one uses them or not.
  await runGraph(g, { inputs, outputs });
  for (const [name, values] of Object.entries(expected)) {
    expect(largestDifference(outputs[name].data, values)).toBeLessThan(5e-6);
  }
}

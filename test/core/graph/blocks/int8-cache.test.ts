import { describe, expect, it } from "vitest";
import { causalAttention } from "../../../../src/core/graph/blocks/attention.js";
import { decoderInputs } from "../../../../src/core/graph/blocks/decoder-inputs.js";
import { ropeTables } from "../../../../src/core/graph/blocks/rope.js";
import { GraphBuilder } from "../../../../src/core/graph/builder.js";
import type { Int8Cache } from "../../../../src/core/graph/model-weights.js";
import { createTensor } from "../../../../src/core/tensor.js";
import { floats, openGraph } from "../../../graph-session.js";
import { buildContext, noise } from "../../../memory-weights.js";
import { largestDifference } from "../../../tiny-model.js";

const [HEADS, KV_HEADS, HEAD_DIM, CAPACITY] = [4, 2, 32, 32];
const HIDDEN = HEADS * HEAD_DIM;
const WIDTH = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
const weights = noise(WIDTH * HIDDEN, 3).map((value) => value / 2);
const scales = {
  key: noise(KV_HEADS * HEAD_DIM, 5).map((value) => (1 + Math.abs(value)) / 100),
  value: noise(KV_HEADS * HEAD_DIM, 6).map((value) => (1 + Math.abs(value)) / 100),
};

/** Attention with its cache; runs append to the same memory. */
async function attention(kind: Int8Cache["attention"], { rotaryDim = 0, rows = 1 } = {}) {
  const g = new GraphBuilder();
  const ctx = {
    ...buildContext({ qkv: { shape: [WIDTH, HIDDEN], values: weights } }, { bits: 32 }),
    int8Cache: { scales: [scales], attention: kind },
  };
  const x = g.input("x", "float32", ["batch", "length", HIDDEN]);
  const inputs = decoderInputs(g);
  const y = causalAttention(
    g,
    x,
    {
      layer: 0,
      qkv: { role: "qkv", tensors: ["qkv"] },
      shape: { heads: HEADS, kvHeads: KV_HEADS, headDim: HEAD_DIM },
      inputs,
      rope: rotaryDim > 0 ? ropeTables(g, { theta: 100, rotaryDim }, CAPACITY, ctx) : undefined,
    },
    ctx,
  );
  g.output(y, "float32", ["batch", "length", HIDDEN]);
  const binding = (await openGraph(g)).createBinding();
  const shape = [rows, KV_HEADS, CAPACITY, HEAD_DIM];
  const [keys, values] = [createTensor("int8", shape), createTensor("int8", shape)];
  return {
    keys,
    values,
    /** Rows of x with `past` positions before them, `length` of each row's padded tokens being real. */
    async run(input: Float32Array, { width, past = 0, lengths = [width] }: RunShape): Promise<Float32Array> {
      const count = lengths.length;
      const output = createTensor("float32", [count, width, HIDDEN]);
      const seqlens = createTensor("int32", [count]);
      seqlens.data.set(lengths.map((length) => past + length - 1));
      const total = createTensor("int32", []);
      total.data[0] = past + width;
      const ids = createTensor("int64", [count, width]);
      binding.input("x", floats([count, width, HIDDEN], input)).input("input_ids", ids);
      binding.input("seqlens_k", seqlens).input("total_sequence_length", total);
      binding.input("past_key_values.0.key", keys).input("past_key_values.0.value", values);
      binding.output("present.0.key", keys).output("present.0.value", values).output(y, output);
      await binding.run();
      return output.data;
    },
  };
}

interface RunShape {
  width: number;
  past?: number;
  lengths?: number[];
}

const kinds = ["blocks", "floats"] as const;
const input = noise(9 * HIDDEN, 7);
const part = (from: number, to: number) => input.slice(from * HIDDEN, to * HIDDEN);

describe.each(kinds)("attention with a cache of int8, read as %s", (kind) => {
  it("is attention over rounded keys and values", async () => {
    const { run, keys, values } = await attention(kind);
    const y = await run(input, { width: 9 });
    const expected = slowly(input, 9);
    expect(largestDifference(y, expected.y)).toBeLessThan(1e-5);
    for (const [tensor, rounded] of [
      [keys, expected.keys],
      [values, expected.values],
    ] as const) {
      for (let head = 0; head < KV_HEADS; head++) {
        const from = head * CAPACITY * HEAD_DIM;
        const row = tensor.data.slice(from, from + 9 * HEAD_DIM);
        expect([...row]).toEqual(rounded.slice(head * 9 * HEAD_DIM, (head + 1) * 9 * HEAD_DIM));
      }
    }
  });

  it.each([0, 16, 32])(
    "gives pieces and steps what it gives the whole, %i components rotated",
    async (rotaryDim) => {
      const whole = await attention(kind, { rotaryDim });
      const all = await whole.run(input, { width: 9 });
      const pieces = await attention(kind, { rotaryDim });
      const first = (await pieces.run(part(0, 4), { width: 4 })).slice();
      const second = (await pieces.run(part(4, 8), { width: 4, past: 4 })).slice();
      const last = await pieces.run(part(8, 9), { width: 1, past: 8 });
      expect(largestDifference(Float32Array.of(...first, ...second, ...last), all)).toBeLessThan(1e-5);
      expect(pieces.keys.data).toEqual(whole.keys.data);
      expect(pieces.values.data).toEqual(whole.values.data);
    },
  );

  it("gives rows of other lengths what each gets alone", async () => {
    const together = await attention(kind, { rotaryDim: 32, rows: 2 });
    const padded = new Float32Array(2 * 6 * HIDDEN);
    padded.set(part(0, 6), 0);
    padded.set(part(6, 9), 6 * HIDDEN);
    const y = await together.run(padded, { width: 6, lengths: [6, 3] });
    const alone = await attention(kind, { rotaryDim: 32 });
    const short = await alone.run(part(6, 9), { width: 3 });
    expect(largestDifference(y.slice(6 * HIDDEN, 9 * HIDDEN), short)).toBeLessThan(1e-5);
    const size = KV_HEADS * CAPACITY * HEAD_DIM;
    for (let head = 0; head < KV_HEADS; head++) {
      const from = head * CAPACITY * HEAD_DIM;
      const own = together.keys.data.slice(size + from, size + from + 3 * HEAD_DIM);
      expect(own).toEqual(alone.keys.data.slice(from, from + 3 * HEAD_DIM));
    }
  });
});

it("rotates alike whether attention reads bytes or floats", async () => {
  const [bytes, decoded] = await Promise.all(kinds.map((kind) => attention(kind, { rotaryDim: 32 })));
  const [a, b] = [await bytes.run(input, { width: 9 }), await decoded.run(input, { width: 9 })];
  expect(largestDifference(a, b)).toBeLessThan(1e-5);
  expect(bytes.keys.data).toEqual(decoded.keys.data);
});

/** The definition, in plain loops. */
function slowly(x: Float32Array, length: number) {
  const product = (t: number, row: number): number => {
    let sum = 0;
    for (let i = 0; i < HIDDEN; i++) sum += x[t * HIDDEN + i] * weights[row * HIDDEN + i];
    return Math.fround(sum);
  };
  const rounded = (first: number, steps: Float32Array): number[] =>
    Array.from({ length: KV_HEADS * length * HEAD_DIM }, (_, at) => {
      const [head, t, i] = [
        Math.floor(at / HEAD_DIM / length),
        Math.floor(at / HEAD_DIM) % length,
        at % HEAD_DIM,
      ];
      const component = head * HEAD_DIM + i;
      return Math.max(-128, Math.min(127, Math.round(product(t, first + component) / steps[component])));
    });
  const keys = rounded(HIDDEN, scales.key);
  const values = rounded(HIDDEN + KV_HEADS * HEAD_DIM, scales.value);
  const read = (list: number[], steps: Float32Array, head: number, t: number, i: number): number =>
    list[(head * length + t) * HEAD_DIM + i] * steps[head * HEAD_DIM + i];
  const y = new Float32Array(length * HIDDEN);
  for (let head = 0; head < HEADS; head++) {
    const kv = Math.floor((head * KV_HEADS) / HEADS);
    for (let t = 0; t < length; t++) {
      const scores = Array.from({ length: t + 1 }, (_, s) => {
        let dot = 0;
        for (let i = 0; i < HEAD_DIM; i++)
          dot += product(t, head * HEAD_DIM + i) * read(keys, scales.key, kv, s, i);
        return dot * HEAD_DIM ** -0.5;
      });
      const most = Math.max(...scores);
      const weightsOf = scores.map((score) => Math.exp(score - most));
      const sum = weightsOf.reduce((a, b) => a + b);
      for (let i = 0; i < HEAD_DIM; i++) {
        y[t * HIDDEN + head * HEAD_DIM + i] =
          weightsOf.reduce((mean, weight, s) => mean + weight * read(values, scales.value, kv, s, i), 0) /
          sum;
      }
    }
  }
  return { y, keys, values };
}

import { describe, expect, it } from "vitest";
import type { ModelWeights } from "../../../src/core/graph/model-weights.js";
import {
  groupedParts,
  type Part,
  slabPart,
  stackedParts,
  withParts,
} from "../../../src/core/models/parts.js";
import { buildContext } from "../../memory-weights.js";
import fc from "../../property.js";

const names = { q: "attn.q", k: "attn.k", v: "attn.v" };
const format = { bits: 8, blockSize: 32 } as const;

/** A module "attn.qkv" whose row r is [r, r] with the bias r; blocks are a byte and a scale for each row. */
function stored(rows: number, hasBlocks = true): ModelWeights {
  const values = Float32Array.from({ length: rows * 2 }, (_, i) => Math.floor(i / 2));
  const bias = Float32Array.from({ length: rows }, (_, i) => i);
  const tensors = {
    "attn.qkv.weight": { shape: [rows, 2], values },
    "attn.qkv.bias": { shape: [rows], values: bias },
  };
  const { weights } = buildContext(tensors, { bits: 32 });
  return {
    ...weights,
    async readBlocks(_name, first, count) {
      if (!hasBlocks) return undefined;
      const ids = Array.from({ length: count }, (_, i) => first + i);
      return { data: Uint8Array.from(ids), scales: Float32Array.from(ids) };
    },
  };
}

function rowsOf(part: Part): number[] {
  return Array.from({ length: part.rows }, (_, row) => part.from(row));
}

describe("withParts", () => {
  const shape = { groups: 2, queries: 2, headDim: 3 };
  const parts = groupedParts("attn.qkv", names, shape);
  const weights = withParts(stored(24), parts);

  it("reads what stands in several places of the stored module as one tensor", async () => {
    expect(weights.shape("attn.q.weight")).toEqual([12, 2]);
    expect(weights.shape("attn.k.bias")).toEqual([6]);
    expect([...(await weights.read("attn.q.bias"))]).toEqual([0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17]);
    expect([...(await weights.read("attn.k.bias"))]).toEqual([6, 7, 8, 18, 19, 20]);
    expect([...(await weights.read("attn.v.weight", 2, 2))]).toEqual([11, 11, 21, 21]);
  });

  it("reads stored blocks, and has none where the module has none", async () => {
    const blocks = await weights.readBlocks("attn.k.weight", 1, 3, format);
    expect(blocks?.data).toEqual(Uint8Array.of(7, 8, 18));
    expect(blocks?.scales).toEqual(Float32Array.of(7, 8, 18));
    const without = withParts(stored(24, false), parts);
    expect(await without.readBlocks("attn.k.weight", 0, 6, format)).toBeUndefined();
  });

  it("leaves everything else as it is", async () => {
    expect(weights.has("attn.q.weight")).toBe(true);
    expect(weights.has("attn.q.scale")).toBe(false);
    expect(weights.has("attn.o.weight")).toBe(false);
    expect(await weights.read("attn.qkv.bias", 4, 2)).toEqual(Float32Array.of(4, 5));
  });
});

describe("slabs", () => {
  const values = (count: number) => Float32Array.from({ length: count }, (_, i) => i);
  const tensors = {
    "experts.up.weight": { shape: [3, 2, 4], values: values(24) },
    "experts.up.bias": { shape: [3, 2], values: values(6) },
  };
  // As files are read: a row of a tensor is everything below its first axis.
  const { weights: stored } = buildContext(tensors, { bits: 32 });
  const file: ModelWeights = {
    ...stored,
    async read(name, first = 0, rows = 3) {
      const { shape, values } = tensors[name as keyof typeof tensors];
      const size = values.length / shape[0];
      return values.slice(first * size, (first + rows) * size);
    },
  };

  it("are matrices and vectors of their own", async () => {
    const weights = withParts(file, { "experts.1.up": slabPart("experts.up", 1, 2) });
    expect(weights.shape("experts.1.up.weight")).toEqual([2, 4]);
    expect([...(await weights.read("experts.1.up.weight"))]).toEqual([8, 9, 10, 11, 12, 13, 14, 15]);
    expect([...(await weights.read("experts.1.up.weight", 1, 1))]).toEqual([12, 13, 14, 15]);
    expect(weights.shape("experts.1.up.bias")).toEqual([2]);
    expect([...(await weights.read("experts.1.up.bias"))]).toEqual([2, 3]);
    expect(await weights.readBlocks("experts.1.up.weight", 0, 2, format)).toBeUndefined();
  });

  it("are turned where they are stored [in, out]", async () => {
    const weights = withParts(file, { "experts.2.up": slabPart("experts.up", 2, 4, true) });
    expect(weights.shape("experts.2.up.weight")).toEqual([4, 2]);
    expect([...(await weights.read("experts.2.up.weight"))]).toEqual([16, 20, 17, 21, 18, 22, 19, 23]);
    expect([...(await weights.read("experts.2.up.weight", 2, 1))]).toEqual([18, 22]);
  });
});

describe("the parts of a fused projection", () => {
  const sizes = fc.record({
    groups: fc.integer({ min: 1, max: 5 }),
    queries: fc.integer({ min: 1, max: 4 }),
    headDim: fc.integer({ min: 1, max: 8 }),
  });

  it("have every stored row once, in order of the heads", () => {
    fc.assert(
      fc.property(sizes, (shape) => {
        const parts = Object.values(groupedParts("attn.qkv", names, shape));
        const rows = parts.flatMap(rowsOf);
        const count = shape.groups * (shape.queries + 2) * shape.headDim;
        expect(rows.toSorted((a, b) => a - b)).toEqual([...Array(count).keys()]);
        for (const part of parts) expect(rowsOf(part)).toEqual(rowsOf(part).toSorted((a, b) => a - b));
      }),
    );
  });

  it("of one group follow each other, as stacked parts do", () => {
    const shape = { groups: 1, queries: 3, headDim: 4 };
    const stacked = stackedParts("attn.qkv", { [names.q]: 12, [names.k]: 4, [names.v]: 4 });
    const grouped = groupedParts("attn.qkv", names, shape);
    for (const name of Object.values(names)) expect(rowsOf(grouped[name])).toEqual(rowsOf(stacked[name]));
  });
});

import { describe, expect, it } from "vitest";
import { quantize } from "../../../src/core/weights/quantize.js";
import { quantizeAffine } from "../../../src/core/weights/quantize-affine.js";
import {
  dequantizeBlocks,
  type QuantizedBlocks,
  quantizationError,
} from "../../../src/core/weights/quantized-blocks.js";
import fc from "../../property.js";

const blockSizes = [16, 32, 64, 128] as const;

/** Numbers of a bell curve, the same in every run. */
function bell(length: number, scale = 0.1): Float32Array {
  let seed = 12345;
  const next = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
  return Float32Array.from({ length }, () => (next() + next() + next() - 1.5) * scale);
}

function squaredError(values: Float32Array, blocks: QuantizedBlocks, weights?: Float32Array): number {
  const read = dequantizeBlocks(blocks);
  return values.reduce((sum, x, i) => sum + (weights?.[i % blocks.cols] ?? 1) * (x - read[i]) ** 2, 0);
}

describe("the layout", () => {
  it("holds 8-bit codes around 128 with the scale max / 127", () => {
    const values = Float32Array.from({ length: 32 }, (_, i) => (i === 5 ? -127 : i));
    const blocks = quantize(values, { cols: 32, bits: 8, blockSize: 32 });
    expect(blocks.scales).toEqual(Float32Array.of(1));
    expect([...blocks.data]).toEqual([...values].map((x) => x + 128));
  });

  it("holds 4-bit codes around 8, the even element in the low nibble, the largest magnitude at -8", () => {
    const values = Float32Array.of(8, -7, 1, 0, ...new Array(12).fill(2));
    const blocks = quantize(values, { cols: 16, bits: 4, blockSize: 16 });
    expect(blocks.scales).toEqual(Float32Array.of(-1));
    expect([...blocks.data.subarray(0, 3)]).toEqual([0 | (15 << 4), 7 | (8 << 4), 6 | (6 << 4)]);
  });

  it("pads the last block of each row with the zero point", () => {
    const values = bell(2 * 19);
    const eight = quantize(values, { cols: 19, bits: 8, blockSize: 16 });
    expect(eight.data.length).toBe(2 * 2 * 16);
    expect([...eight.data.subarray(19, 32)]).toEqual(new Array(13).fill(128));
    for (const search of ["round", "least-error"] as const) {
      const four = quantize(values, { cols: 19, bits: 4, blockSize: 16, search });
      expect(four.data[9] >> 4).toBe(8);
      expect([...four.data.subarray(10, 16)]).toEqual(new Array(6).fill(0x88));
    }
  });

  it("packs two 4-bit zero points in a byte, and begins each row with a new byte", () => {
    const rows = [
      Float32Array.from({ length: 48 }, (_, i) => i % 16), // from 0 up: zero point 0
      Float32Array.from({ length: 48 }, (_, i) => 0 - (i % 16)), // from 0 down: zero point 15
    ];
    const values = new Float32Array([...rows[0], ...rows[1]]);
    const blocks = quantizeAffine(values, { cols: 48, bits: 4, blockSize: 16 });
    expect([...blocks.zeroPoints]).toEqual([0x00, 0x00, 0xff, 0x0f]);
    expect(dequantizeBlocks(blocks)).toEqual(values);
  });

  it("pads an affine block with its own zero point", () => {
    const values = Float32Array.from({ length: 17 }, (_, i) => i);
    const blocks = quantizeAffine(values, { cols: 17, bits: 8, blockSize: 32 });
    expect([...blocks.data.subarray(17)]).toEqual(new Array(15).fill(blocks.zeroPoints[0]));
  });

  it("is all zero points for zeros", () => {
    for (const bits of [4, 8] as const) {
      for (const search of ["round", "least-error"] as const) {
        const blocks = quantize(new Float32Array(64), { cols: 64, bits, blockSize: 32, search });
        expect(dequantizeBlocks(blocks)).toEqual(new Float32Array(64));
        expect(blocks.data.every((byte) => byte === (bits === 4 ? 0x88 : 128))).toBe(true);
      }
      expect(
        dequantizeBlocks(quantizeAffine(new Float32Array(64), { cols: 64, bits, blockSize: 32 })),
      ).toEqual(new Float32Array(64));
    }
  });
});

const anyBlocks = fc.record({
  cols: fc.integer({ min: 1, max: 150 }),
  rows: fc.integer({ min: 1, max: 3 }),
  blockSize: fc.constantFrom(...blockSizes),
  seed: fc.infiniteStream(
    fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }),
  ),
});
const fill = (length: number, stream: IterableIterator<number>) =>
  Float32Array.from({ length }, () => stream.next().value as number);

describe("any values", () => {
  it("come back from 8 bits within half a step", () => {
    fc.assert(
      fc.property(anyBlocks, ({ rows, cols, blockSize, seed }) => {
        const values = fill(rows * cols, seed);
        const blocks = quantize(values, { cols, bits: 8, blockSize });
        const read = dequantizeBlocks(blocks);
        const perRow = Math.ceil(cols / blockSize);
        const isNear = (x: number, i: number) => {
          const step = blocks.scales[Math.floor(i / cols) * perRow + Math.floor((i % cols) / blockSize)];
          return Math.abs(x - read[i]) <= Math.abs(step) * 0.5001;
        };
        expect(values.every(isNear)).toBe(true);
      }),
      { seed: 3 },
    );
  });

  it("come back from 4 bits within half a step, or a whole one opposite the largest", () => {
    fc.assert(
      fc.property(anyBlocks, ({ rows, cols, blockSize, seed }) => {
        const values = fill(rows * cols, seed);
        const blocks = quantize(values, { cols, bits: 4, blockSize });
        const read = dequantizeBlocks(blocks);
        const perRow = Math.ceil(cols / blockSize);
        const isNear = (x: number, i: number) => {
          const step = blocks.scales[Math.floor(i / cols) * perRow + Math.floor((i % cols) / blockSize)];
          const isOpposite = x / step > 7.5;
          return Math.abs(x - read[i]) <= Math.abs(step) * (isOpposite ? 1.0001 : 0.5001);
        };
        expect(values.every(isNear)).toBe(true);
      }),
      { seed: 3 },
    );
  });

  it("lose no more to the search than to rounding", () => {
    fc.assert(
      fc.property(anyBlocks, fc.constantFrom<4 | 8>(4, 8), ({ rows, cols, blockSize, seed }, bits) => {
        const values = fill(rows * cols, seed);
        const rounded = squaredError(values, quantize(values, { cols, bits, blockSize }));
        const searched = squaredError(
          values,
          quantize(values, { cols, bits, blockSize, search: "least-error" }),
        );
        expect(searched).toBeLessThanOrEqual(rounded * 1.0001 + 1e-60);
      }),
      { seed: 3 },
    );
  });

  it("keep the affine form within its grid", () => {
    fc.assert(
      fc.property(anyBlocks, fc.constantFrom<4 | 8>(4, 8), ({ rows, cols, blockSize, seed }, bits) => {
        const values = fill(rows * cols, seed);
        const blocks = quantizeAffine(values, { cols, bits, blockSize });
        expect(blocks.scales.every((scale) => scale >= 0 && scale < Infinity)).toBe(true);
        const span = Math.max(0, ...values) - Math.min(0, ...values);
        const read = dequantizeBlocks(blocks);
        expect(values.every((x, i) => Math.abs(x - read[i]) <= span * 0.5 + 1e-30)).toBe(true);
      }),
      { seed: 3 },
    );
  });

  it("that were rounded once are not changed by rounding again", () => {
    for (const bits of [4, 8] as const) {
      const once = dequantizeBlocks(quantize(bell(640), { cols: 64, bits, blockSize: 32 }));
      const twice = dequantizeBlocks(quantize(once, { cols: 64, bits, blockSize: 32 }));
      expect(quantizationError(once, twice)).toBeLessThan(1e-7);
    }
  });
});

describe("the least-error search", () => {
  const values = bell(576 * 64);

  it("loses clearly less than rounding", () => {
    const error = (bits: 4 | 8, search: "round" | "least-error") =>
      quantizationError(values, quantize(values, { cols: 576, bits, blockSize: 32, search }));
    expect(error(8, "round")).toBeCloseTo(0.0048, 3);
    expect(error(8, "least-error")).toBeLessThan(error(8, "round") * 0.95);
    expect(error(4, "round")).toBeCloseTo(0.083, 2);
    expect(error(4, "least-error")).toBeLessThan(error(4, "round") * 0.95);
  });

  it("spends its error where it counts least", () => {
    const importance = Float32Array.from({ length: 576 }, (_, i) => (i % 4 === 0 ? 100 : 1));
    const options = { cols: 576, bits: 4, blockSize: 32 } as const;
    const plain = quantize(values, { ...options, search: "least-error" });
    const weighted = quantize(values, { ...options, search: "least-error", importance });
    expect(squaredError(values, weighted, importance)).toBeLessThan(
      squaredError(values, plain, importance) * 0.9,
    );
    const plainAffine = quantizeAffine(values, options);
    const weightedAffine = quantizeAffine(values, { ...options, importance });
    expect(squaredError(values, weightedAffine, importance)).toBeLessThan(
      squaredError(values, plainAffine, importance) * 0.95,
    );
  });

  it("takes columns without importance", () => {
    const importance = new Float32Array(576);
    const blocks = quantize(values, { cols: 576, bits: 4, blockSize: 32, search: "least-error", importance });
    expect(quantizationError(values, blocks)).toBeLessThan(0.12);
  });

  it("refuses an importance of the wrong length or below zero", () => {
    const options = { cols: 576, bits: 4, blockSize: 32, search: "least-error" } as const;
    expect(() => quantize(values, { ...options, importance: new Float32Array(3) })).toThrow(/576 numbers/);
    expect(() => quantize(values, { ...options, importance: new Float32Array(576).fill(-1) })).toThrow(/576/);
  });
});

describe("a zero point of its own", () => {
  it("halves the error of values to one side of zero", () => {
    const values = bell(576 * 16).map((x) => x + 0.15);
    for (const bits of [4, 8] as const) {
      const options = { cols: 576, bits, blockSize: 32 } as const;
      const symmetric = quantizationError(values, quantize(values, { ...options, search: "least-error" }));
      expect(quantizationError(values, quantizeAffine(values, options))).toBeLessThan(symmetric * 0.7);
    }
  });
});

describe("values that can't be quantized", () => {
  it.each([Number.NaN, Infinity, -Infinity])("such as %d are refused", (bad) => {
    const values = bell(64);
    values[40] = bad;
    for (const bits of [4, 8] as const) {
      const options = { cols: 64, bits, blockSize: 32 } as const;
      const refused = expect.objectContaining({ code: "corrupt_file" });
      expect(() => quantize(values, options)).toThrow(refused);
      expect(() => quantize(values, { ...options, search: "least-error" })).toThrow(refused);
      expect(() => quantizeAffine(values, options)).toThrow(refused);
    }
  });

  it("such as infinities of both signs are refused", () => {
    const values = bell(32);
    values[1] = Infinity;
    values[2] = -Infinity;
    const options = { cols: 32, bits: 4, blockSize: 32, search: "least-error" } as const;
    expect(() => quantize(values, options)).toThrow(/NaN or infinite/);
  });

  it("such as a length that is no whole number of rows are refused", () => {
    expect(() => quantize(new Float32Array(65), { cols: 64, bits: 8, blockSize: 32 })).toThrow(/rows of 64/);
  });

  it("but subnormal ones are kept finite", () => {
    const values = Float32Array.from({ length: 32 }, (_, i) => (i - 16) * 2 ** -149);
    for (const bits of [4, 8] as const) {
      const options = { cols: 32, bits, blockSize: 32 } as const;
      for (const blocks of [
        quantize(values, options),
        quantize(values, { ...options, search: "least-error" }),
        quantizeAffine(values, options),
      ]) {
        expect(dequantizeBlocks(blocks).every((x) => Math.abs(x) < 2 ** -120)).toBe(true);
      }
    }
  });
});

it("quantizationError is relative to the root mean square", () => {
  expect(quantizationError(Float32Array.of(3, 4), Float32Array.of(3, 4))).toBe(0);
  expect(quantizationError(Float32Array.of(3, 4), Float32Array.of(0, 0))).toBe(1);
  expect(quantizationError(Float32Array.of(3, 4), Float32Array.of(3, 4.5))).toBeCloseTo(0.1);
  expect(() => quantizationError(Float32Array.of(1), Float32Array.of(1, 2))).toThrow(/2 quantized values/);
});

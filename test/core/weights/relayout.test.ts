import { describe, expect, it } from "vitest";
import { blockConversion } from "../../../src/core/weights/block-conversions.js";
import { dequantize } from "../../../src/core/weights/dequantize.js";
import { dtypeLayouts } from "../../../src/core/weights/dtypes.js";
import { quantize } from "../../../src/core/weights/quantize.js";
import {
  dequantizeBlocks,
  type QuantizedBlocks,
  quantizationError,
} from "../../../src/core/weights/quantized-blocks.js";
import { relayoutQ4_0, relayoutQ4_1, relayoutQ8_0 } from "../../../src/core/weights/relayout.js";
import { requantizeQ4_1 } from "../../../src/core/weights/requantize.js";
import type { GgmlBlockType } from "../../../src/core/weights/types.js";
import { goldenBlocks, randomBlocks } from "./golden.js";

const golden = goldenBlocks();
const { rows, cols } = golden;

describe("blocks of GGUF in MatMulNBits' layout", () => {
  it("stand for exactly the same values as Q8_0", () => {
    const { bytes, values } = golden.type("Q8_0");
    const blocks = relayoutQ8_0(bytes, rows, cols);
    expect(blocks).toMatchObject({ rows, cols, bits: 8, blockSize: 32 });
    expect(dequantizeBlocks(blocks)).toEqual(values);
  });

  it("stand for exactly the same values as Q4_0", () => {
    const { bytes, values } = golden.type("Q4_0");
    expect(dequantizeBlocks(relayoutQ4_0(bytes, rows, cols))).toEqual(values);
  });

  it("stand, with the constant of each block added, for exactly the same values as Q4_1", () => {
    const { bytes, values } = golden.type("Q4_1");
    const blocks = relayoutQ4_1(bytes, rows, cols);
    const read = dequantizeBlocks(blocks);
    // Not bit for bit: the sum is rounded at other places.
    expect(values.every((x, i) => Math.abs(read[i] + blocks.offsets[i >> 5] - x) < 1e-6)).toBe(true);
  });

  it("pair elements 2i and 2i + 1 where ggml pairs i and i + 16", () => {
    const bytes = new Uint8Array(18);
    bytes.set([0x00, 0x3c]); // d = 1
    for (let i = 0; i < 16; i++) bytes[2 + i] = (i & 15) | ((15 - i) << 4);
    const { data, scales } = relayoutQ4_0(bytes, 1, 32);
    expect(scales).toEqual(Float32Array.of(1));
    expect([...data]).toEqual([
      0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe, 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01,
    ]);
  });

  it("keep int8's -128 and negative scales", () => {
    const bytes = new Uint8Array(34);
    bytes.set([0x00, 0xbc, 0x80, 0x7f]); // d = -1, then -128 and 127
    const blocks = relayoutQ8_0(bytes, 1, 32);
    expect([...blocks.data.subarray(0, 3)]).toEqual([0, 255, 128]);
    expect([...dequantizeBlocks(blocks).subarray(0, 2)]).toEqual([128, -127]);
  });

  it("are refused when the bytes are not the rows", () => {
    expect(() => relayoutQ4_0(new Uint8Array(18), 1, 33)).toThrow("18 bytes of Q4_0 are not [1, 33]");
    expect(() => relayoutQ8_0(new Uint8Array(33), 1, 32)).toThrow("33 bytes");
    expect(() => requantizeQ4_1(new Uint8Array(20), 2, 32)).toThrow("[2, 32]");
  });
});

describe("GGUF blocks as 8-bit blocks of 32", () => {
  /** The finite ones of the random blocks as one row, their bytes and values. */
  function finiteRow(type: GgmlBlockType) {
    const { elements, bytes: size } = dtypeLayouts[type];
    const all = randomBlocks(type).bytes;
    const parts: Uint8Array[] = [];
    for (let at = 0; at < all.length; at += size) {
      const block = all.subarray(at, at + size);
      const values = new Float32Array(elements);
      dequantize(type, block, values);
      if (values.every(Number.isFinite)) parts.push(block);
    }
    const bytes = new Uint8Array(Buffer.concat(parts));
    const values = new Float32Array(parts.length * elements);
    dequantize(type, bytes, values);
    return { bytes, values, cols: values.length };
  }
  const unsignedZeros = (values: Float32Array) => values.map((x) => x + 0);

  it.each(["Q4_0", "Q5_0", "Q8_0", "Q3_K", "IQ4_NL", "IQ4_XS"] as const)(
    "stand for exactly the same values as %s",
    (type) => {
      const { bytes, values, cols } = finiteRow(type);
      const blocks = blockConversion(type, 8)!(bytes, 1, cols);
      expect(blocks).toMatchObject({ rows: 1, cols, bits: 8, blockSize: 32 });
      expect(unsignedZeros(dequantizeBlocks(blocks))).toEqual(unsignedZeros(values));
    },
  );

  it.each(["Q4_1", "Q5_1", "Q4_K", "Q5_K"] as const)("lose less of %s than a search does", (type) => {
    const { bytes, values, cols } = finiteRow(type);
    // Each block counts alike, however large its scale is.
    const error = (blocks: QuantizedBlocks) => {
      const read = dequantizeBlocks(blocks);
      let sum = 0;
      for (let at = 0; at < cols; at += 32)
        sum += quantizationError(values.subarray(at, at + 32), read.subarray(at, at + 32)) ** 2;
      return Math.sqrt(sum / (cols / 32));
    };
    const searched = quantize(values, { cols, bits: 8, blockSize: 32, search: "least-error" });
    expect(error(blockConversion(type, 8)!(bytes, 1, cols))).toBeLessThan(error(searched));
  });

  it.each(["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q3_K", "Q4_K", "Q5_K", "IQ4_NL", "IQ4_XS"] as const)(
    "are refused where a scale of %s is infinite",
    (type) => {
      const { elements, bytes: size } = dtypeLayouts[type];
      const bytes = new Uint8Array(size).fill(0x11);
      bytes.set([0x00, 0x7c], type === "Q3_K" ? 108 : 0);
      expect(() => blockConversion(type, 8)!(bytes, 1, elements)).toThrow(/NaN or infinite/);
    },
  );

  it("have no way of their own for floats, two scales in a block, or four bits", () => {
    expect(blockConversion("F16", 8)).toBeUndefined();
    expect(blockConversion("Q6_K", 8)).toBeUndefined();
    expect(blockConversion("Q4_K", 4)).toBeUndefined();
  });
});

describe("Q4_1 as 8-bit blocks", () => {
  /** Blocks with a given d and m, as halves, and all sixteen codes twice. */
  function blocksOf(...pairs: [d: number, m: number][]): Uint8Array {
    const bytes = new Uint8Array(20 * pairs.length);
    const view = new DataView(bytes.buffer);
    pairs.forEach(([d, m], b) => {
      view.setUint16(20 * b, d, true);
      view.setUint16(20 * b + 2, m, true);
      for (let i = 0; i < 16; i++) bytes[20 * b + 4 + i] = i | (i << 4);
    });
    return bytes;
  }
  const read = (bytes: Uint8Array) => {
    const out = new Float32Array((bytes.length / 20) * 32);
    dequantize("Q4_1", bytes, out);
    return out;
  };

  const unsignedZeros = (values: Float32Array) => values.map((x) => x + 0);

  it("has several times less error than rounding", () => {
    // d from 0.03 to 0.04 and m from -0.2 to -0.28, in steps that have nothing in common: as in real files.
    const pairs = Array.from({ length: 200 }, (_, i): [number, number] => [
      0x27ae + ((i * 37) % 360),
      0xb266 + ((i * 113) % 530),
    ]);
    const bytes = blocksOf(...pairs);
    const values = read(bytes);
    const rounded = quantizationError(values, quantize(values, { cols: 32, bits: 8, blockSize: 32 }));
    expect(quantizationError(values, requantizeQ4_1(bytes, 200, 32))).toBeLessThan(rounded / 2);
  });

  it("is exact where m is a multiple of d", () => {
    const bytes = blocksOf([0x2c00, 0xb800], [0x2c00, 0x0000], [0xac00, 0x3800]); // ±1/16 and ∓1/2, 0
    expect(unsignedZeros(dequantizeBlocks(requantizeQ4_1(bytes, 3, 32)))).toEqual(unsignedZeros(read(bytes)));
  });

  it("is exact where all values are the same", () => {
    const bytes = blocksOf([0x0000, 0xb555], [0x0000, 0x3111], [0x0000, 0x0000]);
    expect(unsignedZeros(dequantizeBlocks(requantizeQ4_1(bytes, 3, 32)))).toEqual(unsignedZeros(read(bytes)));
  });

  it("rounds where m is far larger than d", () => {
    const bytes = blocksOf([0x1000, 0x4000], [0x0001, 0xc000], [0x2c00, 0x4a00]);
    const values = read(bytes);
    const blocks = requantizeQ4_1(bytes, 3, 32);
    dequantizeBlocks(blocks).forEach((x, i) => {
      expect(Math.abs(x - values[i])).toBeLessThanOrEqual(blocks.scales[i >> 5] * 0.5001);
    });
  });

  it("never loses more than rounding, whatever d and m are", () => {
    const pairs: [number, number][] = [];
    for (let d = 0; d < 0x10000; d += 97) pairs.push([d, (d * 31_013) & 0xffff]);
    const finite = pairs.filter(([d, m]) => (d & 0x7c00) !== 0x7c00 && (m & 0x7c00) !== 0x7c00);
    const bytes = blocksOf(...finite);
    const values = read(bytes);
    const byRounding = dequantizeBlocks(quantize(values, { cols: 32, bits: 8, blockSize: 32 }));
    const byStep = dequantizeBlocks(requantizeQ4_1(bytes, finite.length, 32));
    for (let b = 0; b < finite.length; b++) {
      const worst = Math.max(...values.subarray(32 * b, 32 * b + 32).map(Math.abs)) / 254;
      const block = (all: Float32Array) => all.subarray(32 * b, 32 * b + 32);
      const error = quantizationError(block(values), block(byStep));
      // A grid that fits may be worse on a few blocks by luck of the rounding, never by more than its bound.
      if (error > quantizationError(block(values), block(byRounding))) {
        const read = block(byStep);
        expect(block(values).every((x, i) => Math.abs(x - read[i]) <= worst * 1.001)).toBe(true);
      }
    }
  });

  it("refuses infinite scales", () => {
    expect(() => requantizeQ4_1(blocksOf([0x7c00, 0]), 1, 32)).toThrow(/NaN or infinite/);
    expect(() => requantizeQ4_1(blocksOf([0, 0x7e00]), 1, 32)).toThrow(/NaN or infinite/);
  });
});

import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/core/weights/dequantize.js";
import { dtypeLayouts } from "../../../src/core/weights/dtypes.js";
import { digestOf, goldenBlocks, randomBlocks } from "./golden.js";

const golden = goldenBlocks();

describe("dequantize", () => {
  it.each(["F16", "BF16", "Q4_0", "Q4_1", "Q8_0"] as const)(
    "reads %s to the same bits as the reference",
    (dtype) => {
      const { bytes, values } = golden.type(dtype);
      const out = new Float32Array(values.length);
      dequantize(dtype, bytes, out);
      expect(out).toEqual(values);
    },
  );

  it.each([
    "Q4_0",
    "Q4_1",
    "Q5_0",
    "Q5_1",
    "Q8_0",
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_NL",
    "IQ4_XS",
  ] as const)("reads every block of %s to the reference's bits, whatever its bytes", (dtype) => {
    const { bytes, digests } = randomBlocks(dtype);
    const { elements, bytes: size } = dtypeLayouts[dtype];
    const out = new Float32Array((bytes.length / size) * elements);
    dequantize(dtype, bytes, out);
    const blocks = digests.map((_, block) => out.subarray(block * elements, (block + 1) * elements));
    expect(blocks).toHaveLength(bytes.length / size);
    expect(blocks.map(digestOf)).toEqual(digests);
  });

  it("reads zeros of both signs, subnormal halves and infinities", () => {
    const out = new Float32Array(golden.halves.values.length);
    dequantize("F16", golden.halves.bytes, out);
    expect(out).toEqual(golden.halves.values);
  });

  it("keeps NaN", () => {
    const out = new Float32Array(2);
    dequantize("F16", Uint8Array.of(0, 0x7e, 1, 0xfc), out);
    expect([...out]).toEqual([Number.NaN, Number.NaN]);
  });

  it.each(["F16", "BF16", "F64", "Q8_0"] as const)("reads %s from bytes at an odd address", (dtype) => {
    const doubles = new Float64Array(golden.values);
    const bytes = dtype === "F64" ? new Uint8Array(doubles.buffer) : golden.type(dtype).bytes;
    const values = dtype === "F64" ? golden.values : golden.type(dtype).values;
    const shifted = new Uint8Array(bytes.length + 1);
    shifted.set(bytes, 1);
    const out = new Float32Array(values.length);
    dequantize(dtype, shifted.subarray(1), out);
    expect(out).toEqual(values);
  });

  it("refuses integers, naming what can be read", () => {
    expect(() => dequantize("I64", new Uint8Array(8), new Float32Array(1))).toThrow(
      expect.objectContaining({ code: "unsupported_dtype", message: expect.stringContaining("I64") }),
    );
  });

  it("refuses an output of another length", () => {
    expect(() => dequantize("Q4_0", new Uint8Array(18), new Float32Array(31))).toThrow(/18 bytes/);
  });
});

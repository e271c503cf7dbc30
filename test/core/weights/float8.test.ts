import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/core/weights/dequantize.js";

/** SHA-256 of the 256 values as little-endian float32, NaN as 7fc00000: PyTorch 2.15's `.view(dtype).to(torch.float32)`. */
const digests = {
  F8_E4M3: "422eccfaa21e72a6b26855bb10cdcfead6c1ce3262ecd813c99d8cbf9677f2e2",
  F8_E5M2: "229a94c5f728edf2259da970a0e1dfb45cc1d69cce2b30e37659f3212ec4b8b9",
  F8_E8M0: "2fb2732a956043772ccd2c1664ae5d2558c62f9c06780c04d95f1ff0050f2f2f",
} as const;

describe.each(Object.keys(digests) as (keyof typeof digests)[])("%s", (dtype) => {
  it("is read to PyTorch's bits, whatever the byte", () => {
    const out = new Float32Array(256);
    dequantize(
      dtype,
      Uint8Array.from({ length: 256 }, (_, code) => code),
      out,
    );
    const settled = out.map((value) => (Number.isNaN(value) ? Number.NaN : value));
    expect(createHash("sha256").update(settled).digest("hex")).toBe(digests[dtype]);
  });
});

import path from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { openWeights } from "../../../src/core/weights/index.js";
import { readCheckpoint } from "../../../src/core/weights/quantized/checkpoint.js";
import { readQuantization } from "../../../src/core/weights/quantized/configuration.js";
import { roundTo } from "../../../src/core/weights/quantized/scaled.js";
import fc from "../../property.js";
import { type TensorToWrite, writeSafetensors } from "../../weights-writer.js";
import { temporaryFolder } from "../hub/sandbox.js";

const gptq = { quant_method: "gptq", bits: 4, group_size: 32, sym: true };

/** A linear layer of [16, 64] in GPTQ, its codes all 9 and its zero points all 8. */
function gptqLayer(): Record<string, TensorToWrite> {
  return {
    "up.qweight": { dtype: "I32", shape: [8, 16], data: new Uint32Array(128).fill(0x9999_9999) },
    "up.qzeros": { dtype: "I32", shape: [2, 2], data: new Uint32Array(4).fill(0x7777_7777) },
    "up.scales": { dtype: "F32", shape: [2, 16], data: new Float32Array(32).fill(0.5) },
    "up.g_idx": { dtype: "I32", shape: [64], data: Int32Array.from({ length: 64 }, (_, i) => i >> 5) },
  };
}

async function checkpoint(tensors: Record<string, TensorToWrite>, quantization: unknown) {
  const file = path.join(await temporaryFolder(), "model.safetensors");
  await writeSafetensors(file, tensors);
  const opened = await openWeights(file);
  onTestFinished(() => opened[Symbol.asyncDispose]());
  return readCheckpoint(opened, { quantization_config: quantization }, "model.safetensors");
}

describe("a quantized checkpoint", () => {
  it("shows each linear layer as one matrix, and nothing of what it is made of", async () => {
    const file = await checkpoint(
      { ...gptqLayer(), "up.bias": { dtype: "F32", shape: [16], data: new Float32Array(16) } },
      gptq,
    );
    expect([...file.tensors.values()].map(({ name, shape }) => [name, shape])).toEqual([
      ["up.bias", [16]],
      ["up.weight", [16, 64]],
    ]);
    expect(await file.readFloat32("up.weight", 4, 2)).toEqual(new Float32Array(128).fill(0.5));
    expect(await file.readFloat32("up.bias")).toEqual(new Float32Array(16));
  });

  it("has no zero points where all of them are in the middle", async () => {
    const file = await checkpoint(gptqLayer(), gptq);
    expect("blocks" in file && file.blocks.get("up.weight")).toMatchObject({
      blockSize: 32,
      zeroPoints: false,
    });
  });

  it("keeps no blocks where an order leaves groups of different sizes", async () => {
    const uneven = Int32Array.from({ length: 64 }, (_, i) => (i < 40 ? 0 : 1));
    const layer = { ...gptqLayer(), "up.g_idx": { dtype: "I32" as const, shape: [64], data: uneven } };
    const file = await checkpoint(layer, gptq);
    expect("blocks" in file && file.blocks.size).toBe(0);
    expect(await file.readFloat32("up.weight")).toEqual(new Float32Array(1024).fill(0.5));
  });

  it.each<[string, Record<string, TensorToWrite | undefined>, RegExp]>([
    ["lacks its scales", { "up.scales": undefined }, /no tensor "up.scales"/],
    ["lacks its zero points", { "up.qzeros": undefined }, /no tensor "up.qzeros"/],
    [
      "has scales for another layer",
      { "up.scales": { dtype: "F32", shape: [2, 8], data: new Float32Array(16) } },
      /"up.scales" is \[2, 8\], not \[…, 16\]/,
    ],
    [
      "has scales that are integers",
      { "up.scales": { dtype: "I32", shape: [2, 16], data: new Int32Array(32) } },
      /"up.scales" is I32, not F32 or/,
    ],
    [
      "has groups that don't divide its inputs",
      {
        "up.scales": { dtype: "F32", shape: [7, 16], data: new Float32Array(112) },
        "up.qzeros": { dtype: "I32", shape: [7, 2], data: new Int32Array(14) },
      },
      /"up.scales" has 7 groups for 64 inputs/,
    ],
    [
      "has inputs in groups that are not there",
      { "up.g_idx": { dtype: "I32", shape: [64], data: new Int32Array(64).fill(2) } },
      /"up.g_idx" names groups beyond the 2/,
    ],
    [
      "has another number of inputs in its order",
      { "up.g_idx": { dtype: "I32", shape: [48], data: new Int32Array(48) } },
      /"up.qweight" in 5.33\d* bits/,
    ],
  ])("that %s is refused by the tensor's name", async (_what, changes, message) => {
    const tensors = Object.entries({ ...gptqLayer(), ...changes }).filter(
      ([, tensor]) => tensor !== undefined,
    );
    await expect(
      checkpoint(Object.fromEntries(tensors) as Record<string, TensorToWrite>, gptq),
    ).rejects.toMatchObject({ code: "corrupt_file", message: expect.stringMatching(message) });
  });

  it("without a word about it in config.json is refused, not read as something else", async () => {
    await expect(checkpoint(gptqLayer(), undefined)).rejects.toMatchObject({
      code: "unsupported_model",
      message:
        'model.safetensors holds "up.qweight", but config.json has no quantization_config that says what it is',
      param: "quantization_config",
    });
  });

  it("that scales activations (AWQ of falcon, mpt) is refused", async () => {
    const scales = { "h.0.mlp.act.scales": { dtype: "F32" as const, shape: [4], data: new Float32Array(4) } };
    const awq = { quant_method: "awq", bits: 4, group_size: 32, version: "gemm" };
    await expect(checkpoint(scales, awq)).rejects.toMatchObject({ code: "unsupported_model" });
  });
});

describe("quantization_config", () => {
  it.each([
    [{ quant_method: "bitsandbytes", load_in_4bit: true }, "bitsandbytes' NF4, FP4 or int8"],
    [{ load_in_8bit: true }, "bitsandbytes' NF4, FP4 or int8"],
    [{ quant_method: "hqq" }, "HQQ's blocks"],
    [{ quant_method: "eetq" }, "EETQ's int8"],
    [{ quant_method: "aqlm" }, "additive codebooks"],
    [{ quant_method: "nvfp4" }, "NVFP4"],
    [{ quant_method: "of the future" }, "another form of numbers"],
  ])("%o is refused with what it is and what to take", (quantization_config, what) => {
    expect(refusal({ quantization_config })).toMatchObject({
      code: "unsupported_model",
      message: expect.stringContaining(`hfms does not read ${what}`),
      hint: expect.stringContaining("base_model"),
      param: "quantization_config.quant_method",
    });
  });

  it.each([
    [{ ...gptq, bits: 3 }, "quantization_config.bits"],
    [{ ...gptq, group_size: 0 }, "quantization_config.group_size"],
    [{ ...gptq, checkpoint_format: "marlin" }, "quantization_config.checkpoint_format"],
    [{ quant_method: "awq", bits: 4, version: "gemv" }, "quantization_config.version"],
    [{ quant_method: "fp8", weight_block_size: [128, 0] }, "quantization_config.weight_block_size.1"],
    [{ quant_method: "compressed-tensors", format: "nvfp4-pack-quantized" }, "quantization_config.format"],
    [{ quant_method: 4 }, "quantization_config.quant_method"],
    ["gptq", "quantization_config"],
  ])("%o is refused by its field", (quantization_config, param) => {
    expect(refusal({ quantization_config })).toMatchObject({ code: "unsupported_model", param });
    expect(refusal({ quantization_config }).message).toContain(`config.json: ${param} is`);
  });

  it("of MLX is refused by its own field", () => {
    expect(refusal({ quantization: { group_size: 64, bits: 4 } })).toMatchObject({ param: "quantization" });
  });

  it.each([
    [gptq, { method: "gptq", bits: 4, groupSize: 32, zeroPointsLessOne: true }],
    [
      { ...gptq, checkpoint_format: "gptq_v2", group_size: -1 },
      { groupSize: -1, zeroPointsLessOne: false },
    ],
    [{ ...gptq, quant_method: "auto-round", packing_format: "auto_round:auto_gptq" }, { method: "gptq" }],
    [
      { quant_method: "awq", w_bit: 4, q_group_size: 64, version: "GEMM" },
      { method: "awq", groupSize: 64 },
    ],
    [{ quant_method: "fbgemm_fp8" }, { method: "fp8", scale: "weight_scale" }],
  ])("%o is understood", (quantization_config, expected) => {
    expect(readQuantization({ quantization_config })).toMatchObject(expected);
  });

  it("gives nothing but a reading or an error of the table, whatever it holds", () => {
    const value = fc.oneof(fc.jsonValue(), fc.constantFrom("gptq", "awq", "fp8", "compressed-tensors"));
    const keys = fc.constantFrom("quant_method", "bits", "group_size", "format", "version", "config_groups");
    fc.assert(
      fc.property(fc.dictionary(keys, value), (quantization_config) => {
        try {
          readQuantization({ quantization_config });
        } catch (error) {
          expect(error).toBeInstanceOf(HfmsError);
          expect((error as HfmsError).message).toContain("quantization_config");
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("rounding to the scales' number format", () => {
  it.each([
    // 1 + 2⁻⁸ lies between two, the even one is lower; 1 + 3 · 2⁻⁸ goes up.
    ["BF16", [1 + 2 ** -8, 1 + 3 * 2 ** -8, -1.003, 0, Infinity], [1, 1 + 2 ** -6, -1, 0, Infinity]],
    // Between two at 2⁻¹¹; half the smallest is 0, above it the smallest; the largest, and what is beyond it.
    [
      "F16",
      [1 + 2 ** -11, 1 + 3 * 2 ** -11, 2 ** -25, 1.5 * 2 ** -25, 65_519, 65_520, -0],
      [1, 1 + 2 ** -9, 0, 2 ** -24, 65_504, Infinity, -0],
    ],
  ])("takes the nearest of %s, and of two as near the even one", (dtype, values, expected) => {
    const rounded = Float32Array.from(values);
    roundTo(dtype)?.(rounded);
    expect(rounded).toEqual(Float32Array.from(expected));
  });
});

function refusal(config: Record<string, unknown>): HfmsError {
  try {
    readQuantization(config);
  } catch (error) {
    if (error instanceof HfmsError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

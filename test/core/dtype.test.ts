import { describe, expect, it } from "vitest";
import { chooseDtype } from "../../src/core/dtype.js";

const choose = (parameters: number, ...matrixDtypes: string[]) =>
  chooseDtype("auto", { kind: "decoder", parameters, matrixDtypes: new Set(matrixDtypes) }).dtype;

describe("the number format of `auto`", () => {
  it.each([
    [100e6, ["F16"], "int8"],
    [7e9, ["BF16"], "int4"],
    [100e6, ["Q4_0"], "int4"],
    [100e6, ["Q4_K", "Q6_K"], "int8"],
    [7e9, ["Q4_K", "Q6_K"], "int4"],
    [7e9, ["Q3_K", "Q5_K"], "int4"],
    [7e9, ["IQ4_XS", "Q5_K"], "int4"],
    [7e9, ["Q5_K", "Q6_K"], "int8"],
    [7e9, ["Q6_K"], "int8"],
    [7e9, ["Q8_0", "F16"], "int8"],
  ] as const)("for %d parameters in %j is %s", (parameters, dtypes, dtype) => {
    expect(choose(parameters, ...dtypes)).toBe(dtype);
  });

  it("of models with an encoder is fp32 while that fits small machines", () => {
    const of = (parameters: number) =>
      chooseDtype("auto", { kind: "encoder-decoder", parameters, matrixDtypes: new Set(["F32"]) }).dtype;
    expect([60e6, 780e6, 3e9].map(of)).toEqual(["fp32", "fp32", "int8"]);
  });
});

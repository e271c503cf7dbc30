import { deserialize, serialize } from "node:v8";
import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { fromWire, toWire } from "../../../src/core/host/wire-error.js";

const across = (error: unknown) => fromWire(deserialize(serialize(toWire(error))));

describe("an error on its way between processes", () => {
  it("stays the HfmsError that it is, with its cause", () => {
    const cause = new TypeError("inner", { cause: new Error("innermost") });
    const error = new HfmsError("disk_full", "no space", { hint: "free some", param: "model", cause });
    const arrived = across(error);
    expect(arrived).toBeInstanceOf(HfmsError);
    expect(arrived).toMatchObject({
      code: "disk_full",
      message: "no space",
      hint: "free some",
      param: "model",
      exitCode: error.exitCode,
      status: error.status,
      stack: error.stack,
      cause: { name: "TypeError", message: "inner", cause: { message: "innermost" } },
    });
  });

  it("keeps what a bug says, and what is no error at all", () => {
    expect(across(new RangeError("bad"))).toMatchObject({ name: "RangeError", message: "bad" });
    expect(across("thrown text")).toMatchObject({ message: "thrown text" });
  });

  it("does not follow causes for ever", () => {
    const error = new Error("round");
    error.cause = error;
    expect(across(error).message).toBe("round");
  });
});

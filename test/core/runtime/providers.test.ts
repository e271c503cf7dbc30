import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { executionProviders, runtimeDevices, runtimeLibrary } from "../../../src/core/runtime/providers.js";

describe("the runtime's library", () => {
  it("is the file that onnxruntime-node ships, with its version", () => {
    const { version, library } = runtimeLibrary();
    expect(version).toMatch(/^1\.\d+\.\d+$/);
    expect(existsSync(library)).toBe(true);
  });

  it("has the CPU among its providers and devices, as often as it is asked", () => {
    for (let i = 0; i < 50; i++) {
      expect(executionProviders()).toContain("CPUExecutionProvider");
      expect(runtimeDevices()).toContainEqual(
        expect.objectContaining({ executionProvider: "CPUExecutionProvider", type: "cpu" }),
      );
    }
  });
});

import { describe, expect, it } from "vitest";
import { HfmsError } from "../../../src/core/errors.js";
import { selectDevice, selectDeviceAtStart } from "../../../src/core/hardware/select.js";
import type { BackendReport, DetectedDevice, HardwareReport } from "../../../src/core/hardware/types.js";
import { type DeviceName, deviceNames } from "../../../src/core/requests.js";
import fc from "../../property.js";
import { captured, capturedMachine, GiB } from "./captured-machine.js";

type Seen = Pick<HardwareReport, "backends" | "memory">;

const gpu = (rest: Partial<DetectedDevice> = {}): DetectedDevice => ({
  name: "a GPU",
  kind: "gpu",
  memoryTotal: 24 * GiB,
  memoryFree: 24 * GiB,
  seenBy: "test",
  ...rest,
});

function report(accelerators: Partial<Record<DeviceName, Partial<BackendReport>>> = {}): Seen {
  const about = (backend: DeviceName) => ({ backend, title: backend, executionProvider: "" });
  return {
    memory: { total: 16 * GiB, free: 10 * GiB, limitedBy: "machine" },
    backends: deviceNames.map((name) => ({
      ...about(name),
      devices: name === "cpu" ? [{ name: "a CPU", kind: "cpu", seenBy: "test" }] : [],
      usable: name === "cpu",
      reason: `${name} is not here`,
      ...accelerators[name],
    })),
  };
}

const failure = (run: () => unknown): HfmsError => {
  try {
    run();
  } catch (error) {
    if (error instanceof HfmsError) return error;
  }
  throw new Error("nothing was thrown");
};

describe("auto", () => {
  it("takes the CPU where nothing else can be used, and says why not the GPU that is there", () => {
    expect(selectDevice(report())).toEqual({ device: "cpu", reason: "no other device can be used here" });
    const seen = report({ cuda: { devices: [gpu({ name: "RTX 3090" })], reason: "it has no provider" } });
    expect(selectDevice(seen)).toEqual({
      device: "cpu",
      reason: "RTX 3090 is there, but can't be used: it has no provider",
    });
  });

  it("takes an accelerator that can be used, the vendor's way before the general one", () => {
    const seen = report({
      webgpu: { usable: true, devices: [gpu()] },
      cuda: { usable: true, devices: [gpu({ name: "RTX 3090" })] },
    });
    expect(selectDevice(seen)).toEqual({ device: "cuda", reason: "RTX 3090 can be used through cuda" });
  });

  it("passes by a device without enough free memory, and a busy one", () => {
    const small = report({
      cuda: { usable: true, devices: [gpu({ memoryFree: 1 * GiB })] },
      webgpu: { usable: true, devices: [gpu()] },
    });
    expect(selectDevice(small, { memoryNeeded: 4 * GiB }).device).toBe("webgpu");
    const busy = report({ cuda: { usable: true, devices: [gpu({ load: 0.97 })] } });
    expect(selectDevice(busy)).toMatchObject({ device: "cpu", reason: expect.stringContaining("busy") });
  });

  it("finds the free one of two cards", () => {
    const seen = report({
      cuda: { usable: true, devices: [gpu({ name: "busy", load: 0.99 }), gpu({ name: "idle", load: 0.1 })] },
    });
    expect(selectDevice(seen).reason).toContain("idle");
  });

  it("never takes a software device or a processor under another name", () => {
    const seen = report({
      webgpu: { usable: true, devices: [gpu({ name: "llvmpipe", kind: "cpu" })] },
      openvino: { usable: true, devices: [gpu({ name: "a Xeon", kind: "cpu" })] },
    });
    expect(selectDevice(seen).device).toBe("cpu");
  });
});

describe("a named device", () => {
  it("is taken when it can be used, also when auto would not", () => {
    const seen = report({ webgpu: { usable: true, devices: [gpu({ kind: "cpu", load: 1 })] } });
    expect(selectDevice(seen, { device: "webgpu" })).toEqual({
      device: "webgpu",
      reason: "webgpu was asked for",
    });
  });

  it("falls back to the CPU with a notice that gives the reason", () => {
    expect(selectDevice(report(), { device: "cuda" })).toEqual({
      device: "cpu",
      reason: "cuda can't be used here",
      notice: "running on the CPU, because cuda can't be used here: cuda is not here",
    });
  });

  it("falls back when its memory is short", () => {
    const seen = report({ cuda: { usable: true, devices: [gpu({ memoryFree: 1 * GiB })] } });
    const { device, notice } = selectDevice(seen, { device: "cuda", memoryNeeded: 4 * GiB });
    expect(device).toBe("cpu");
    expect(notice).toContain("it has 1.0 GiB of memory free and the model needs about 4.0 GiB");
  });

  it("is refused instead under requireDevice", () => {
    const error = failure(() => selectDevice(report(), { device: "cuda", requireDevice: true }));
    expect(error).toMatchObject({ code: "device_unavailable", param: "device" });
    expect(error.message).toBe("cuda can't be used here: cuda is not here");
    expect(error.hint).toContain("hfms hardware");
  });

  it("that doesn't exist is a bad request that lists those that do", () => {
    const error = failure(() => selectDevice(report(), { device: "tpu" }));
    expect(error.code).toBe("invalid_request");
    expect(error.message).toContain('"tpu"');
    for (const name of deviceNames) expect(error.hint).toContain(name);
  });
});

describe("the CPU", () => {
  it("is taken with a notice when memory is short", () => {
    expect(selectDevice(report(), { memoryNeeded: 12 * GiB }).notice).toBe(
      "the model needs about 12.0 GiB of memory and 10.0 GiB are free",
    );
    expect(selectDevice(report(), { device: "cuda", memoryNeeded: 12 * GiB }).notice).toMatch(
      /^running on the CPU.*; the model needs about 12\.0 GiB/,
    );
  });

  it("that can't be used is an error, also as a fallback", () => {
    const broken = report({ cpu: { usable: false, reason: "the library is missing" } });
    for (const device of ["cpu", "auto", "cuda"]) {
      expect(failure(() => selectDevice(broken, { device }))).toMatchObject({
        code: "device_unavailable",
        message: expect.stringContaining("the library is missing"),
      });
    }
  });
});

describe("at start", () => {
  const bare = capturedMachine();
  const asksNothing = {
    ...bare,
    run: () => Promise.reject(new Error("a tool was run")),
    readFile: () => Promise.reject(new Error("a file was read")),
    readDir: () => Promise.reject(new Error("a folder was read")),
    executionProviders: () => Promise.reject(new Error("the library was loaded")),
    runtimeDevices: () => Promise.reject(new Error("the library was loaded")),
  };

  it("the CPU and auto ask the machine for nothing while hfms runs on the CPU only", async () => {
    expect((await selectDeviceAtStart(asksNothing, { device: "cpu" })).device).toBe("cpu");
    expect((await selectDeviceAtStart(asksNothing)).device).toBe("cpu");
  });

  it("auto starts no tool where no accelerator shows a device file", async () => {
    const machine = capturedMachine({
      files: { "/dev/null": "", "/dev/tty": "" },
      executionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
      sessionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    });
    expect((await selectDeviceAtStart(machine)).device).toBe("cpu");
    expect(machine.ran).toEqual([]);
  });

  it("auto takes the card that hfms can run on", async () => {
    const machine = capturedMachine({
      files: { "/dev/nvidiactl": "", "/app/lib/libonnxruntime_providers_cuda.so": "" },
      tools: { "nvidia-smi --query-gpu": captured("nvidia/two-cards.csv") },
      runtimeLibrary: { version: "1.30.0", library: "/app/lib/libonnxruntime.so.1" },
      executionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
      sessionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    });
    expect(await selectDeviceAtStart(machine)).toEqual({
      device: "cuda",
      reason: "NVIDIA GeForce RTX 4090 can be used through NVIDIA CUDA",
    });
  });

  it("a named device is looked at alone, and falls back or is refused", async () => {
    const machine = capturedMachine();
    const { device, notice } = await selectDeviceAtStart(machine, { device: "cuda" });
    expect(device).toBe("cpu");
    expect(notice).toContain("no NVIDIA GPU was found");
    await expect(selectDeviceAtStart(machine, { device: "cuda", requireDevice: true })).rejects.toMatchObject(
      {
        code: "device_unavailable",
      },
    );
    await expect(selectDeviceAtStart(machine, { device: "gpu" })).rejects.toMatchObject({
      code: "invalid_request",
    });
  });

  it("tells when the machine's memory is short", async () => {
    const { notice } = await selectDeviceAtStart(capturedMachine(), { memoryNeeded: 12 * GiB });
    expect(notice).toContain("12.0 GiB");
  });
});

it("every report gives a device that can be used, or the CPU", () => {
  const device = fc.record(
    {
      name: fc.string(),
      kind: fc.constantFrom("cpu" as const, "gpu" as const, "npu" as const),
      memoryFree: fc.nat(64 * GiB),
      load: fc.double({ min: 0, max: 1, noNaN: true }),
      seenBy: fc.constant("test"),
    },
    { requiredKeys: ["name", "seenBy"] },
  );
  const backend = fc.record({ usable: fc.boolean(), devices: fc.array(device, { maxLength: 3 }) });
  const accelerators = fc.dictionary(
    fc.constantFrom(...deviceNames.filter((name) => name !== "cpu")),
    backend,
  );
  fc.assert(
    fc.property(
      accelerators,
      fc.constantFrom("auto", ...deviceNames),
      fc.nat(64 * GiB),
      (found, asked, memoryNeeded) => {
        const seen = report(found);
        const choice = selectDevice(seen, { device: asked, memoryNeeded });
        expect(seen.backends.find(({ backend }) => backend === choice.device)?.usable).toBe(true);
        if (asked !== "auto" && choice.device !== asked) expect(choice.notice).toBeTruthy();
      },
    ),
  );
});

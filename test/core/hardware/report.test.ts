import { describe, expect, it } from "vitest";
import { reportBackend } from "../../../src/core/hardware/backend-report.js";
import { createMachine } from "../../../src/core/hardware/machine.js";
import { detectHardware } from "../../../src/core/hardware/report.js";
import { deviceNames } from "../../../src/core/requests.js";
import { captured, capturedMachine, GiB } from "./captured-machine.js";

const runtime = {
  executionProviders: async () => ["WebGpuExecutionProvider", "CPUExecutionProvider"],
  runtimeDevices: async () => [],
};

describe("report", () => {
  it("has every backend, the processor, the memory and what auto would take", async () => {
    const report = await detectHardware(
      capturedMachine({
        files: {
          "/proc/cpuinfo": captured("cpuinfo/amd-zen4.txt"),
          "/dev/nvidiactl": "",
        },
        tools: { "nvidia-smi --query-gpu": captured("nvidia/two-cards.csv") },
        runtimeLibrary: { version: "1.30.0", library: "/app/libonnxruntime.so.1" },
      }),
    );
    expect(report.backends.map(({ backend }) => backend)).toEqual([...deviceNames]);
    expect(report.cpu).toMatchObject({ name: "AMD Ryzen 9 7950X 16-Core Processor", cores: 4, threads: 8 });
    expect(report.memory).toEqual({ total: 16 * GiB, free: 10 * GiB, limitedBy: "machine" });
    expect(report.runtime).toEqual({
      name: "onnxruntime",
      version: "1.30.0",
      library: "/app/libonnxruntime.so.1",
    });
    expect(report.selected.device).toBe("cpu");
    expect(report.selected.reason).toContain("NVIDIA GeForce RTX 3090 is there, but can't be used");
  });

  it("asks each tool once, however many backends want it", async () => {
    const machine = capturedMachine({
      platform: "darwin",
      arch: "arm64",
      tools: { "/usr/sbin/system_profiler": captured("apple/displays-m1.json") },
    });
    await detectHardware(machine);
    expect(machine.ran.filter((line) => line.includes("system_profiler"))).toHaveLength(1);
    expect(new Set(machine.ran).size).toBe(machine.ran.length);
  });

  it("takes the runtime's word for a device that nothing else saw, but not for the processor", async () => {
    const machine = capturedMachine({
      runtimeDevices: [
        { executionProvider: "QNNExecutionProvider", vendor: "Qualcomm", type: "cpu", deviceId: 0 },
        { executionProvider: "OpenVINOExecutionProvider", vendor: "Intel", type: "npu", deviceId: 0x643e },
      ],
    });
    expect((await reportBackend("qnn", machine)).devices).toEqual([]);
    expect(await reportBackend("openvino", machine)).toMatchObject({
      devices: [{ name: "Intel NPU (0x643e)", kind: "npu", seenBy: "ONNX Runtime" }],
      usable: false,
      reason: expect.stringContaining("has the OpenVINO provider"),
    });
  });

  it("doesn't wait for a backend that hangs, and says so", async () => {
    const machine = { ...capturedMachine({ platform: "darwin" }), run: () => new Promise<never>(() => {}) };
    const report = await reportBackend("mps", machine, { timeoutMs: 20 });
    expect(report).toMatchObject({
      devices: [],
      usable: false,
      reason: expect.stringContaining("did not answer"),
    });
  });

  it("says what failed instead of failing", async () => {
    const machine = { ...capturedMachine(), readDir: () => Promise.reject(new Error("out of handles")) };
    expect((await reportBackend("cuda", machine)).reason).toBe("looking for it failed: out of handles");
  });
});

describe("this machine", () => {
  it("is reported within a second and a half, with a processor that works", async () => {
    const started = performance.now();
    const report = await detectHardware(createMachine(runtime));
    expect(performance.now() - started).toBeLessThan(1500);
    expect(report.cpu.threads).toBeGreaterThanOrEqual(1);
    expect(report.cpu.cores).toBeGreaterThanOrEqual(1);
    expect(report.memory.total).toBeGreaterThan(2 ** 27);
    expect(report.memory.free).toBeLessThanOrEqual(report.memory.total);
    expect(report.backends.find(({ backend }) => backend === "cpu")?.usable).toBe(true);
    expect(report.selected.device).toBe("cpu");
  });

  it("finds the runtime's library where the package carries one", async () => {
    const library = await createMachine(runtime).runtimeLibrary();
    if (process.platform !== "linux") return;
    expect(library?.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(library?.library).toMatch(/libonnxruntime\.so/);
  });

  it("answers undefined for a tool that is missing or fails, and for a file that isn't there", async () => {
    const machine = createMachine(runtime);
    expect(await machine.run("hfms-no-such-tool", [])).toBeUndefined();
    expect(await machine.run(process.execPath, ["-e", "process.exit(3)"])).toBeUndefined();
    expect(await machine.run(process.execPath, ["-e", "process.stdout.write('ok')"])).toBe("ok");
    expect(await machine.readFile("/hfms/no/such/file")).toBeUndefined();
    expect(await machine.readDir("/hfms/no/such/folder")).toEqual([]);
  });

  it("stops a tool that hangs and doesn't ask it again", async () => {
    const machine = createMachine(runtime);
    const started = performance.now();
    const hang = () => machine.run(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
    expect(await hang()).toBeUndefined();
    const first = performance.now() - started;
    expect(first).toBeLessThan(2500);
    expect(await hang()).toBeUndefined();
    expect(performance.now() - started - first).toBeLessThan(500);
  });

  it("has no providers where the runtime can't say", async () => {
    const machine = createMachine({
      executionProviders: () => Promise.reject(new Error("no library")),
      runtimeDevices: () => Promise.reject(new Error("no library")),
    });
    expect(await machine.executionProviders()).toEqual([]);
    expect(await machine.runtimeDevices()).toEqual([]);
    expect(await reportBackend("cpu", machine)).toMatchObject({ usable: false });
  });
});

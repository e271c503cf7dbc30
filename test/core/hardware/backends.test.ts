import { describe, expect, it } from "vitest";
import { backends } from "../../../src/core/hardware/index.js";
import { type Capture, captured, GiB, look } from "./captured-machine.js";

describe("rocm", () => {
  const card = "/sys/class/drm/card1/device";
  const files = {
    "/dev/kfd": "",
    "/sys/bus/pci/devices/0000:03:00.0/uevent": captured("pci/amd-uevent.txt"),
    "/sys/class/drm/card1-DP-1/status": "connected",
    [`${card}/vendor`]: "0x1002\n",
    [`${card}/uevent`]: captured("pci/amd-uevent.txt"),
    [`${card}/mem_info_vram_total`]: "25753026560\n",
    [`${card}/mem_info_vram_used`]: "1073741824\n",
    [`${card}/gpu_busy_percent`]: "12\n",
    "/sys/class/kfd/kfd/topology/nodes/0/properties": captured("amd/kfd-cpu-node.txt"),
    "/sys/class/kfd/kfd/topology/nodes/1/properties": captured("amd/kfd-gpu-node.txt"),
  };

  it("joins the kernel's files by slot and names the card by lspci", async () => {
    const rocm = await look(backends.rocm, { files, tools: { lspci: captured("pci/lspci.txt") } });
    expect(rocm.devices).toEqual([
      {
        name: "AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M",
        vendor: "AMD",
        kind: "gpu",
        computeCapability: "gfx1100",
        cores: 96,
        memoryTotal: 25753026560,
        memoryFree: 25753026560 - GiB,
        load: 0.12,
        seenBy: "/sys/class/drm/card1",
      },
    ]);
    expect(rocm).toMatchObject({ usable: false, reason: expect.stringContaining("no ROCm or MIGraphX") });
  });

  it("takes name and driver from rocm-smi, in ROCm's own folder too", async () => {
    const tools = { "/opt/rocm/bin/rocm-smi": captured("amd/rocm-smi-6.json") };
    const rocm = await look(backends.rocm, { files, tools });
    expect(rocm.devices).toMatchObject([
      { name: "Radeon RX 7900 XTX", driver: "6.10.5", memoryFree: 25753026560 - GiB, seenBy: "rocm-smi" },
    ]);
  });

  it("says what a container lacks", async () => {
    const { "/dev/kfd": _kfd, ...closed } = files;
    expect((await look(backends.rocm, { files: closed })).reason).toContain("--device /dev/kfd");
  });

  it("starts no tool on a machine without an AMD GPU", async () => {
    expect(await look(backends.rocm, {})).toMatchObject({ devices: [], usable: false, ran: [] });
  });

  it("sees AMD's adapters on Windows", async () => {
    const rocm = await look(backends.rocm, windows(["windows/gpu-amd.txt"]));
    expect(rocm.devices).toMatchObject([{ name: "AMD Radeon RX 7900 XT", memoryTotal: 0x4ff000000 }]);
  });
});

describe("mps", () => {
  const mac = (displays: string, rest: Capture = {}): Capture => ({
    platform: "darwin",
    arch: "arm64",
    tools: { "/usr/sbin/system_profiler SPDisplaysDataType -json": captured(displays) },
    executionProviders: ["CoreMLExecutionProvider", "WebGpuExecutionProvider", "CPUExecutionProvider"],
    ...rest,
  });

  it("gives an M1 the machine's memory, and says that hfms doesn't run on CoreML yet", async () => {
    const mps = await look(backends.mps, mac("apple/displays-m1.json"));
    expect(mps.devices).toMatchObject([{ name: "Apple M1", memoryTotal: 16 * GiB, memoryFree: 10 * GiB }]);
    expect(mps).toMatchObject({ usable: false, reason: expect.stringContaining("has the CoreML provider") });
  });

  it("has no library for Macs with Intel", async () => {
    const intel = mac("apple/displays-intel-mac.json", { arch: "x64", executionProviders: [] });
    const mps = await look(backends.mps, intel);
    expect(mps.devices).toHaveLength(2);
    expect(mps.reason).toContain("Macs with Apple silicon");
    const cpu = await look(backends.cpu, intel);
    expect(cpu).toMatchObject({
      usable: false,
      reason: expect.stringContaining("no library for darwin x64"),
    });
  });

  it("is nothing for Linux", async () => {
    expect(await look(backends.mps, {})).toMatchObject({ devices: [], usable: false, ran: [] });
  });
});

describe("openvino", () => {
  it("sees GPU, neural processor and processor of a laptop, each once", async () => {
    const npu = captured("pci/intel-npu-uevent.txt");
    const openvino = await look(backends.openvino, {
      files: {
        "/proc/cpuinfo": captured("cpuinfo/intel-sapphire-rapids.txt"),
        "/sys/bus/pci/devices/0000:00:02.0/uevent": captured("pci/intel-gpu-uevent.txt"),
        "/sys/bus/pci/devices/0000:00:0b.0/uevent": npu,
        "/sys/class/accel/accel0/device/uevent": npu,
      },
      tools: { lspci: captured("pci/lspci.txt") },
    });
    expect(openvino.devices.map(({ name, kind }) => [name, kind])).toEqual([
      ["Intel Arc Graphics", "gpu"],
      ["Intel AI Boost (NPU)", "npu"],
      ["Intel(R) Xeon(R) Platinum 8480+", "cpu"],
    ]);
    expect(openvino.reason).toContain("onnxruntime-ep-openvino");
  });

  it("sees Intel's adapters and neural processor on Windows", async () => {
    const openvino = await look(
      backends.openvino,
      windows(["windows/gpu-intel.txt", "windows/gpu-nvidia.txt"], ["windows/npu-intel.txt"]),
    );
    expect(openvino.devices.map(({ name, kind }) => [name, kind])).toEqual([
      ["Intel(R) Arc(TM) 140V GPU (16GB)", "gpu"],
      ["Intel(R) AI Boost", "npu"],
    ]);
  });

  it("finds nothing on a machine of AMD", async () => {
    const files = { "/proc/cpuinfo": captured("cpuinfo/amd-zen4.txt") };
    expect((await look(backends.openvino, { files })).devices).toEqual([]);
  });
});

describe("qnn", () => {
  const files = {
    "/proc/device-tree/compatible": "lenovo,yoga-slim7x\0qcom,x1e80100\0",
    "/proc/device-tree/model": "Lenovo Yoga Slim 7x\0",
  };

  it("sees a Snapdragon's neural processor by device tree and FastRPC", async () => {
    const qnn = await look(backends.qnn, { arch: "arm64", files: { ...files, "/dev/fastrpc-cdsp": "" } });
    expect(qnn.devices).toMatchObject([
      {
        name: "Qualcomm Hexagon of X1E80100 (Lenovo Yoga Slim 7x)",
        kind: "npu",
        seenBy: "/dev/fastrpc-cdsp",
      },
    ]);
    expect(qnn.reason).toContain("onnxruntime-qnn");
    expect(qnn.reason).not.toContain("missing");
  });

  it("says that the driver is missing", async () => {
    expect((await look(backends.qnn, { arch: "arm64", files })).reason).toContain(
      "/dev/fastrpc-cdsp is missing",
    );
  });

  it("sees it on Windows", async () => {
    const qnn = await look(backends.qnn, windows([], ["windows/npu-qualcomm.txt"]));
    expect(qnn.devices).toMatchObject([{ vendor: "Qualcomm", driver: "30.0.219.1000", kind: "npu" }]);
  });
});

describe("webgpu", () => {
  const providers = { executionProviders: ["WebGpuExecutionProvider", "CPUExecutionProvider"] };
  const driver = { "/usr/share/vulkan/icd.d/intel_icd.x86_64.json": "" };

  it("sees the devices of the Vulkan drivers", async () => {
    const webgpu = await look(backends.webgpu, {
      ...providers,
      files: driver,
      tools: { "vulkaninfo --summary": captured("vulkan/intel-and-nvidia.txt") },
    });
    expect(webgpu.devices).toHaveLength(2);
    expect(webgpu).toMatchObject({
      usable: false,
      reason: expect.stringContaining("has the WebGPU provider"),
    });
  });

  it("sees a software device that only the environment names to Vulkan's loader", async () => {
    const tools = { "vulkaninfo --summary": captured("vulkan/software.txt") };
    const webgpu = await look(backends.webgpu, { ...providers, tools });
    expect(webgpu.devices).toMatchObject([{ kind: "cpu" }]);
    expect(webgpu.reason).toContain("has the WebGPU provider");
  });

  it("says that a GPU lacks its Vulkan driver", async () => {
    const webgpu = await look(backends.webgpu, {
      ...providers,
      files: { "/sys/bus/pci/devices/0000:00:02.0/uevent": captured("pci/intel-gpu-uevent.txt") },
    });
    expect(webgpu.devices).toMatchObject([{ name: "Intel GPU (8086:7d55)" }]);
    expect(webgpu.reason).toContain("no Vulkan driver");
  });

  it("says that the runtime has none for Linux on ARM", async () => {
    expect((await look(backends.webgpu, { arch: "arm64" })).reason).toContain("for linux arm64");
  });
});

describe("directml", () => {
  it("sees every adapter of Windows", async () => {
    const directml = await look(backends.directml, {
      ...windows(["windows/gpu-intel.txt", "windows/gpu-nvidia.txt"]),
      executionProviders: ["DmlExecutionProvider", "CPUExecutionProvider"],
    });
    expect(directml.devices.map(({ name }) => name)).toEqual([
      "Intel(R) Arc(TM) 140V GPU (16GB)",
      "NVIDIA GeForce RTX 4070 Laptop GPU",
    ]);
    expect(directml.devices[0]).not.toHaveProperty("vendorId");
    expect(directml).toMatchObject({ usable: false, reason: expect.stringContaining("has the DirectML") });
  });

  it("falls back to systeminformation's names where reg.exe is forbidden", async () => {
    const directml = await look(backends.directml, {
      platform: "win32",
      graphics: [{ vendor: "Advanced Micro Devices, Inc.", model: "AMD Radeon RX 7900 XT" }],
    });
    expect(directml.devices).toMatchObject([{ name: "AMD Radeon RX 7900 XT", seenBy: "systeminformation" }]);
  });
});

describe("cpu", () => {
  it("is usable where the library has its provider", async () => {
    const cpu = await look(backends.cpu, {
      files: { "/proc/cpuinfo": captured("cpuinfo/amd-zen4.txt") },
      os: { loadAverage: 2, logicalCores: 8, availableParallelism: 8 },
    });
    expect(cpu).toMatchObject({
      usable: true,
      devices: [{ name: "AMD Ryzen 9 7950X 16-Core Processor", cores: 4, threads: 8, load: 0.25 }],
    });
  });
});

describe("every backend", () => {
  it.each(Object.values(backends))(
    "$name finds nothing and gives a reason on an unknown system",
    async (backend) => {
      const found = await look(backend, { platform: "freebsd" });
      if (backend.name !== "cpu") expect(found).toMatchObject({ devices: [], usable: false });
      expect(found.reason).not.toBe("");
    },
  );

  it.each(Object.entries(backends))("%s stands under its own name", (name, backend) => {
    expect(backend.name).toBe(name);
  });
});

function windows(gpus: string[], npus: string[] = []): Capture {
  const root = "C:\\Windows\\System32\\reg.exe query HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class";
  const keys = (guid: string, names: string[]) =>
    names.map((name, index) => [`${root}\\${guid}\\000${index}`, captured(name)]);
  return {
    platform: "win32",
    tools: Object.fromEntries([
      ...keys("{4d36e968-e325-11ce-bfc1-08002be10318}", gpus),
      ...keys("{f01a9d53-3ff6-48d2-9f97-c8a7004be10c}", npus),
    ]),
  };
}

import { describe, expect, it } from "vitest";
import { backends } from "../../../src/core/hardware/index.js";
import { type Capture, captured, GiB, look, MiB } from "./captured-machine.js";

const RUNTIME = "/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64";
const runtimeLibrary = { version: "1.30.0", library: `${RUNTIME}/libonnxruntime.so.1` };

describe("cuda", () => {
  const twoCards: Capture = {
    files: { "/dev/nvidiactl": "", "/dev/nvidia0": "", [`${RUNTIME}/libonnxruntime.so.1`]: "" },
    tools: { "nvidia-smi --query-gpu": captured("nvidia/two-cards.csv") },
    runtimeLibrary,
  };
  const withProvider = { ...twoCards.files, [`${RUNTIME}/libonnxruntime_providers_cuda.so`]: "" };

  it("sees the cards, and says how to get the provider that hfms installs without", async () => {
    const cuda = await look(backends.cuda, twoCards);
    expect(cuda.devices.map(({ name }) => name)).toEqual([
      "NVIDIA GeForce RTX 3090",
      "NVIDIA GeForce RTX 4090",
    ]);
    expect(cuda.devices[0]).not.toHaveProperty("uuid");
    expect(cuda.usable).toBe(false);
    expect(cuda.reason).toMatch(/has no CUDA provider.*ONNXRUNTIME_NODE_INSTALL=cuda12 node .*install\.js/);
  });

  it("names the CUDA libraries that the linker doesn't find", async () => {
    const cache =
      "2 libs found in cache `/etc/ld.so.cache'\n\tlibcudart.so.12 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.12\n";
    const tools = { ...twoCards.tools, "/sbin/ldconfig -p": cache };
    const cuda = await look(backends.cuda, { ...twoCards, files: withProvider, tools });
    expect(cuda.reason).toMatch(/doesn't find cuBLAS \(libcublasLt\) and cuDNN 9/);
  });

  it("is usable only once hfms runs on it", async () => {
    const cache = "\tlibcudart.so.12 => /x\n\tlibcublasLt.so.12 => /x\n\tlibcudnn.so.9 => /x\n";
    const installed: Capture = {
      ...twoCards,
      files: withProvider,
      tools: { ...twoCards.tools, "/sbin/ldconfig -p": cache },
      executionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    };
    const before = await look(backends.cuda, installed);
    expect(before).toMatchObject({ usable: false, reason: expect.stringContaining("on the CPU only") });
    const after = await look(backends.cuda, {
      ...installed,
      sessionProviders: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    });
    expect(after.usable).toBe(true);
  });

  it("is not usable by the library's word alone, which names CUDA without having it", async () => {
    const providers = ["CUDAExecutionProvider", "CPUExecutionProvider"];
    const cuda = await look(backends.cuda, {
      ...twoCards,
      executionProviders: providers,
      sessionProviders: providers,
    });
    expect(cuda).toMatchObject({ usable: false, reason: expect.stringContaining("has no CUDA provider") });
  });

  it("asks an old driver again without the fields it doesn't know", async () => {
    const query =
      "nvidia-smi --query-gpu=uuid,name,driver_version,memory.total,memory.free,utilization.gpu --";
    const cuda = await look(backends.cuda, {
      files: { "/dev/nvidia0": "" },
      tools: { [query]: captured("nvidia/old-driver.csv") },
    });
    expect(cuda.devices).toMatchObject([{ name: "Tesla K80", memoryFree: 11438 * MiB }]);
  });

  it("lists the instances in place of a card in MIG mode", async () => {
    const cuda = await look(backends.cuda, {
      files: { "/dev/nvidiactl": "" },
      tools: {
        "nvidia-smi --query-gpu": captured("nvidia/mig.csv"),
        "nvidia-smi -L": captured("nvidia/mig-list.txt"),
        "nvidia-smi -q -x": captured("nvidia/mig.xml"),
      },
    });
    expect(cuda.devices.map(({ name, memoryFree }) => [name, memoryFree])).toEqual([
      ["NVIDIA A100-SXM4-80GB MIG 3g.40gb", 39894 * MiB],
      ["NVIDIA A100-SXM4-80GB MIG 1g.10gb", 9716 * MiB],
      ["NVIDIA A100-SXM4-80GB", 81050 * MiB],
    ]);
  });

  it("uses the tool of the Windows driver under WSL", async () => {
    const cuda = await look(backends.cuda, {
      files: { "/dev/dxg": "" },
      tools: { "/usr/lib/wsl/lib/nvidia-smi --query-gpu": captured("nvidia/two-cards.csv") },
    });
    expect(cuda.devices).toHaveLength(2);
  });

  it("sees a card by the driver's own files where nvidia-smi is missing", async () => {
    const cuda = await look(backends.cuda, {
      files: {
        "/dev/nvidiactl": "",
        "/proc/driver/nvidia/version":
          "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n",
        "/proc/driver/nvidia/gpus/0000:01:00.0/information":
          "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 152\nBus Type: \t PCIe\n",
      },
    });
    expect(cuda.devices).toMatchObject([{ name: "NVIDIA GeForce RTX 3090", driver: "535.129.03" }]);
  });

  it("sees a card on the bus whose driver doesn't answer, and says so", async () => {
    const cuda = await look(backends.cuda, {
      files: { "/sys/bus/pci/devices/0000:01:00.0/uevent": captured("pci/nvidia-uevent.txt") },
      tools: { "lspci -Dmm": captured("pci/lspci.txt") },
    });
    expect(cuda.devices).toMatchObject([
      { name: "NVIDIA GeForce RTX 3090", seenBy: "/sys/bus/pci/devices/0000:01:00.0" },
    ]);
    expect(cuda.reason).toMatch(/driver does not answer.*--gpus all/);
  });

  it("sees a Jetson, and that the runtime has no CUDA for ARM", async () => {
    const cuda = await look(backends.cuda, {
      arch: "arm64",
      files: {
        "/proc/device-tree/compatible": "nvidia,p3768-0000+p3767-0005\0nvidia,tegra234\0",
        "/proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
      },
    });
    expect(cuda.devices).toMatchObject([
      { name: "NVIDIA Jetson Orin Nano Developer Kit", memoryTotal: 16 * GiB },
    ]);
    expect(cuda.reason).toContain("no CUDA provider for linux arm64");
  });

  it("points to DirectML and WebGPU on Windows", async () => {
    const cuda = await look(backends.cuda, {
      platform: "win32",
      tools: {
        "C:\\Windows\\System32\\nvidia-smi.exe --query-gpu": captured("nvidia/two-cards.csv"),
      },
    });
    expect(cuda.devices).toHaveLength(2);
    expect(cuda.reason).toMatch(/DirectML and WebGPU/);
  });

  it("starts no tool on a machine without a trace of NVIDIA", async () => {
    const cuda = await look(backends.cuda, {
      files: {
        "/dev/null": "",
        "/sys/bus/pci/devices/0000:00:03.0/uevent": captured("pci/network-uevent.txt"),
      },
    });
    expect(cuda).toMatchObject({ devices: [], usable: false, ran: [] });
  });
});

import { describe, expect, it } from "vitest";
import { parseAmdSmi, parseRocmSmi } from "../../../src/core/hardware/amd-smi.js";
import { cgroupFolders, parseCpuMax } from "../../../src/core/hardware/cgroup.js";
import { parseNvidiaDriverVersion } from "../../../src/core/hardware/cuda.js";
import { parseKfdNode } from "../../../src/core/hardware/kfd.js";
import { parseMeminfo, parseVmStat } from "../../../src/core/hardware/memory.js";
import { parseMigInstances, parseNvidiaSmi } from "../../../src/core/hardware/nvidia-smi.js";
import { parseLspci, parsePciUevent } from "../../../src/core/hardware/pci.js";
import { parseCpuinfo, parseSysctl } from "../../../src/core/hardware/processor.js";
import { parseQualcommChip } from "../../../src/core/hardware/qnn.js";
import { parseSystemProfiler } from "../../../src/core/hardware/system-profiler.js";
import { asBytes, asFraction, asNumber } from "../../../src/core/hardware/tool-json.js";
import { parseVulkanSummary } from "../../../src/core/hardware/vulkan-info.js";
import { parseRegistryAdapter } from "../../../src/core/hardware/windows-registry.js";
import fc from "../../property.js";
import { captured, GiB, MiB } from "./captured-machine.js";

describe("nvidia-smi", () => {
  it("gives name, memory, compute capability, driver and load of each card", () => {
    expect(parseNvidiaSmi(captured("nvidia/two-cards.csv"))).toEqual([
      {
        name: "NVIDIA GeForce RTX 3090",
        vendor: "NVIDIA",
        kind: "gpu",
        uuid: "GPU-8389ef2b-954d-4c2e-1e19-49bc92e5c34f",
        driver: "550.54.14",
        computeCapability: "8.6",
        memoryTotal: 24576 * MiB,
        memoryFree: 1203 * MiB,
        load: 0.97,
        mig: false,
        seenBy: "nvidia-smi",
      },
      expect.objectContaining({ name: "NVIDIA GeForce RTX 4090", memoryFree: 24112 * MiB, load: 0 }),
    ]);
  });

  it("leaves out what a card can't tell", () => {
    const [spark] = parseNvidiaSmi(captured("nvidia/spark.csv"));
    expect(spark).toMatchObject({ name: "NVIDIA GB10", computeCapability: "12.1", load: 0.03 });
    expect(spark.memoryTotal).toBeUndefined();
    const [k80] = parseNvidiaSmi(captured("nvidia/old-driver.csv"));
    expect(k80).toMatchObject({ name: "Tesla K80", memoryTotal: 11441 * MiB, driver: "470.256.02" });
    expect(k80.computeCapability).toBeUndefined();
    expect(k80.load).toBeUndefined();
  });

  it("skips the sentence that stands in for a broken card", () => {
    expect(parseNvidiaSmi(captured("nvidia/lost-card.csv")).map(({ name }) => name)).toEqual(["NVIDIA L4"]);
    expect(parseNvidiaSmi("No devices were found\n")).toEqual([]);
    expect(parseNvidiaSmi("")).toEqual([]);
  });

  it("lists the instances of a card in MIG mode with their own memory", () => {
    const parent = "GPU-9434a402-0d94-4ef8-93d0-0528ee662e9c";
    expect(parseMigInstances(captured("nvidia/mig-list.txt"), captured("nvidia/mig.xml"))).toEqual([
      { parent, profile: "3g.40gb", memoryTotal: 40192 * MiB, memoryFree: 39894 * MiB },
      { parent, profile: "1g.10gb", memoryTotal: 9728 * MiB, memoryFree: 9716 * MiB },
    ]);
  });

  it("lists the instances without memory when the XML is missing", () => {
    const instances = parseMigInstances(captured("nvidia/mig-list.txt"), "");
    expect(instances.map(({ profile, memoryTotal }) => [profile, memoryTotal])).toEqual([
      ["3g.40gb", undefined],
      ["1g.10gb", undefined],
    ]);
  });

  it("has its driver's version in the module's own file, closed and open", () => {
    expect(
      parseNvidiaDriverVersion(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.129.03  Thu Oct 19 18:56:32 UTC 2023\n",
      ),
    ).toBe("535.129.03");
    expect(
      parseNvidiaDriverVersion(
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build  (dvs-builder@U16)\n",
      ),
    ).toBe("550.54.14");
  });
});

describe("AMD's tools", () => {
  it("rocm-smi of ROCm 5 lists cards and the driver beside them", () => {
    expect(parseRocmSmi(captured("amd/rocm-smi-5.json"))).toMatchObject([
      {
        name: "Navi 22 [Radeon RX 6700/6700 XT/6750 XT / 6800M/6850M XT]",
        memoryTotal: 10720641024,
        memoryFree: 10720641024 - 5368709120,
        load: 0.4,
        driver: "6.2.4",
        slot: "0000:03:00.0",
      },
      { memoryTotal: 512 * MiB, slot: "0000:08:00.0" },
    ]);
  });

  it("rocm-smi of ROCm 6 spells its fields otherwise and warns before the JSON", () => {
    expect(parseRocmSmi(captured("amd/rocm-smi-6.json"))).toEqual([
      {
        name: "Radeon RX 7900 XTX",
        vendor: "AMD",
        kind: "gpu",
        memoryTotal: 25753026560,
        memoryFree: 25753026560 - 27340800,
        computeCapability: "gfx1100",
        driver: "6.10.5",
        load: 0,
        slot: "0000:03:00.0",
        seenBy: "rocm-smi",
      },
    ]);
  });

  it("amd-smi of ROCm 6 is a list, joined with its measurements", () => {
    const [gpu] = parseAmdSmi(captured("amd/amd-smi-6-static.json"), captured("amd/amd-smi-6-metric.json"));
    expect(gpu).toEqual({
      name: "AMD Instinct MI210",
      vendor: "AMD",
      kind: "gpu",
      memoryTotal: 65520 * MiB,
      memoryFree: 61424 * MiB,
      computeCapability: "gfx90a",
      cores: 104,
      driver: "6.8.5",
      load: 0.37,
      slot: "0000:63:00.0",
      seenBy: "amd-smi",
    });
  });

  it("amd-smi of ROCm 7 has the list under gpu_data, and N/A in place of objects", () => {
    const gpus = parseAmdSmi(captured("amd/amd-smi-7-static.json"), captured("amd/amd-smi-7-metric.json"));
    expect(gpus.map(({ name, slot, memoryTotal, load }) => [name, slot, memoryTotal, load])).toEqual([
      ["AMD Radeon AI PRO R9700", "0000:65:00.0", 32624 * MiB, 0.47],
      ["AMD Radeon 8060S Graphics", "0000:c5:00.0", undefined, undefined],
    ]);
  });

  it("amd-smi does without its measurements", () => {
    const [gpu] = parseAmdSmi(captured("amd/amd-smi-6-static.json"), "");
    expect(gpu).toMatchObject({ memoryTotal: 65520 * MiB, memoryFree: undefined, load: undefined });
  });

  it("the kernel's topology gives slot, architecture and compute units, and none for a processor", () => {
    expect(parseKfdNode(captured("amd/kfd-gpu-node.txt"))).toEqual({
      slot: "0000:03:00.0",
      computeCapability: "gfx1100",
      cores: 96,
    });
    expect(parseKfdNode(captured("amd/kfd-cpu-node.txt"))).toBeUndefined();
  });

  it.each([
    [90010, "gfx90a"],
    [90402, "gfx942"],
    [100305, "gfx1035"],
    [110501, "gfx1151"],
    [120001, "gfx1201"],
  ])("target version %i is %s", (version, name) => {
    const node = parseKfdNode(
      `simd_count 8\nsimd_per_cu 2\nlocation_id 256\ngfx_target_version ${version}\n`,
    );
    expect(node?.computeCapability).toBe(name);
  });
});

describe("system_profiler", () => {
  it("names an M1 by its model, with its cores and Metal's version", () => {
    expect(parseSystemProfiler(captured("apple/displays-m1.json"))).toEqual([
      {
        name: "Apple M1",
        vendor: "Apple",
        kind: "gpu",
        cores: 8,
        memoryTotal: undefined,
        computeCapability: "Metal 3",
        unified: true,
        seenBy: "system_profiler",
      },
    ]);
  });

  it("gives 40 cores to an M3 Max", () => {
    expect(parseSystemProfiler(captured("apple/displays-m3-max.json"))).toMatchObject([
      { name: "Apple M3 Max", cores: 40, unified: true },
    ]);
  });

  it("gives both GPUs of an Intel Mac their memory, shared and own", () => {
    expect(parseSystemProfiler(captured("apple/displays-intel-mac.json"))).toMatchObject([
      { name: "Intel UHD Graphics 630", vendor: "Intel", memoryTotal: 1536 * MiB, unified: false },
      { name: "AMD Radeon Pro 5500M", vendor: "AMD", memoryTotal: 8 * GiB, unified: false },
    ]);
  });
});

describe("vulkaninfo", () => {
  it("lists the GPUs with their drivers", () => {
    expect(parseVulkanSummary(captured("vulkan/intel-and-nvidia.txt"))).toEqual([
      {
        name: "Intel(R) Graphics (RPL-S)",
        vendor: "Intel",
        kind: "gpu",
        driver: "Mesa 25.2.8-0ubuntu0.24.04.1",
        computeCapability: "Vulkan 1.4.318",
        seenBy: "vulkaninfo",
      },
      expect.objectContaining({ name: "NVIDIA GeForce RTX 4070 Laptop GPU", vendor: "NVIDIA" }),
    ]);
  });

  it("tells a software device from a GPU, and older notations of versions", () => {
    expect(parseVulkanSummary(captured("vulkan/software.txt"))).toMatchObject([
      { name: "llvmpipe (LLVM 15.0.7, 256 bits)", kind: "cpu", computeCapability: "Vulkan 1.3.255" },
    ]);
  });
});

describe("Windows' registry", () => {
  it("has a display adapter's name, driver and whole memory", () => {
    expect(parseRegistryAdapter(captured("windows/gpu-nvidia.txt"))).toEqual({
      name: "NVIDIA GeForce RTX 4070 Laptop GPU",
      vendor: "NVIDIA",
      vendorId: "10de",
      driver: "32.0.15.6094",
      memoryTotal: 0x1ff600000,
      seenBy: "registry",
    });
  });

  it("has neural processors, on PCI and beside it", () => {
    expect(parseRegistryAdapter(captured("windows/npu-intel.txt"))).toMatchObject({
      name: "Intel(R) AI Boost",
      vendorId: "8086",
    });
    const qualcomm = parseRegistryAdapter(captured("windows/npu-qualcomm.txt"));
    expect(qualcomm?.name).toBe("Snapdragon(R) X Elite - X1E78100 - Qualcomm(R) Hexagon(TM) NPU");
    expect(qualcomm?.vendorId).toBeUndefined();
  });

  it("gives nothing for a key without a device", () => {
    expect(parseRegistryAdapter("ERROR: The system was unable to find the specified registry key.")).toBe(
      undefined,
    );
  });
});

describe("the PCI bus", () => {
  it("tells GPUs and neural processors from everything else", () => {
    expect(parsePciUevent(captured("pci/nvidia-uevent.txt"))).toEqual({
      slot: "0000:01:00.0",
      vendor: "10de",
      device: "2204",
      kind: "gpu",
      driver: "nvidia",
      seenBy: "/sys/bus/pci/devices/0000:01:00.0",
    });
    expect(parsePciUevent(captured("pci/intel-npu-uevent.txt"))?.kind).toBe("npu");
    expect(parsePciUevent(captured("pci/network-uevent.txt"))).toBeUndefined();
  });

  it("has the name on the box from lspci, and none for a device that its list lacks", () => {
    const names = parseLspci(captured("pci/lspci.txt"));
    expect(names.get("0000:01:00.0")).toBe("NVIDIA GeForce RTX 3090");
    expect(names.get("0000:03:00.0")).toBe("AMD Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M");
    expect(names.get("0000:00:0b.0")).toBe("Intel Meteor Lake NPU");
    expect(names.has("0000:c7:00.1")).toBe(false);
  });
});

describe("values of tools", () => {
  it("come as numbers, as text with a unit, as value and unit, or not at all", () => {
    expect(asBytes({ value: 24560, unit: "MB" })).toBe(24560 * MiB);
    expect(asBytes("8 GB")).toBe(8 * GiB);
    expect(asBytes("40192 MiB")).toBe(40192 * MiB);
    expect(asBytes("12", "mb")).toBe(12 * MiB);
    expect(asBytes("N/A")).toBeUndefined();
    expect(asNumber(-1)).toBeUndefined();
    expect(asFraction("130")).toBe(1);
  });
});

/** Text that looks like a tool's: pieces of the captures, cut and mixed, and anything at all. */
const fragments = [
  "nvidia/mig.csv",
  "nvidia/mig-list.txt",
  "nvidia/mig.xml",
  "amd/rocm-smi-6.json",
  "amd/amd-smi-7-static.json",
  "amd/kfd-gpu-node.txt",
  "apple/displays-intel-mac.json",
  "apple/sysctl-m3.txt",
  "cpuinfo/big-little.txt",
  "cgroup/hybrid.mountinfo",
  "vulkan/software.txt",
  "windows/gpu-amd.txt",
  "pci/lspci.txt",
].map(captured);
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.json(),
  fc
    .tuple(fc.constantFrom(...fragments), fc.nat(4000), fc.nat(4000))
    .map(([text, from, length]) => text.slice(from, from + length)),
  fc
    .array(fc.constantFrom(...fragments.flatMap((text) => text.split("\n"))), { maxLength: 30 })
    .map((lines) => lines.join("\n")),
);
/** JSON with the keys that the parsers look for, and any value behind them. */
const keyedJson = fc
  .dictionary(
    fc.constantFrom(
      "card0",
      "system",
      "gpu_data",
      "gpu",
      "asic",
      "vram",
      "bus",
      "SPDisplaysDataType",
      "value",
    ),
    fc.jsonValue(),
  )
  .map((value) => JSON.stringify(value));

describe("no parser ever throws", () => {
  it.each<[string, (text: string) => unknown]>([
    ["nvidia-smi", parseNvidiaSmi],
    ["MIG", (text) => parseMigInstances(text, text)],
    ["NVIDIA driver version", parseNvidiaDriverVersion],
    ["rocm-smi", parseRocmSmi],
    ["amd-smi", (text) => parseAmdSmi(text, text)],
    ["KFD", parseKfdNode],
    ["system_profiler", parseSystemProfiler],
    ["sysctl", parseSysctl],
    ["vm_stat", parseVmStat],
    ["cpuinfo", parseCpuinfo],
    ["meminfo", parseMeminfo],
    ["cgroup", (text) => cgroupFolders(text, text, "memory")],
    ["cpu.max", parseCpuMax],
    ["vulkaninfo", parseVulkanSummary],
    ["registry", parseRegistryAdapter],
    ["uevent", parsePciUevent],
    ["lspci", parseLspci],
    ["device tree", parseQualcommChip],
  ])("%s, on arbitrary text", (_name, parse) => {
    fc.assert(
      fc.property(fc.oneof(anyText, keyedJson), (text) => {
        parse(text);
      }),
      { numRuns: 300 },
    );
  });
});

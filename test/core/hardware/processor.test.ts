import { describe, expect, it } from "vitest";
import {
  parseCpuinfo,
  parseSysctl,
  readProcessor,
  threadsUnderQuota,
} from "../../../src/core/hardware/processor.js";
import { captured, capturedMachine } from "./captured-machine.js";

const cpuinfo = (name: string) => parseCpuinfo(captured(`cpuinfo/${name}.txt`));

describe("processor", () => {
  it("of an AMD Zen 3 virtual machine has AVX2 and no AVX-512", () => {
    expect(cpuinfo("amd-zen3-vm")).toEqual({
      name: "AMD EPYC",
      cores: 2,
      instructionSets: ["sse4_2", "avx", "f16c", "fma", "avx2"],
    });
  });

  it("of an AMD Zen 4 counts cores, not threads, and has AVX-512 VNNI", () => {
    const cpu = cpuinfo("amd-zen4");
    expect(cpu.name).toBe("AMD Ryzen 9 7950X 16-Core Processor");
    expect(cpu.cores).toBe(4);
    expect(cpu.instructionSets).toEqual(expect.arrayContaining(["avx512f", "avx512_vnni", "avx512_bf16"]));
    expect(cpu.instructionSets).not.toContain("amx_int8");
  });

  it("of two Intel Sapphire Rapids sockets counts the cores of both and has AMX", () => {
    const cpu = cpuinfo("intel-sapphire-rapids");
    expect(cpu.cores).toBe(4);
    expect(cpu.instructionSets).toEqual(
      expect.arrayContaining(["avx512_vnni", "avx_vnni", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"]),
    );
  });

  it("of ARM is named by its part, with ARM's names for the instructions", () => {
    expect(cpuinfo("graviton3")).toEqual({
      name: "Neoverse V1",
      cores: 4,
      instructionSets: ["neon", "fp16", "dotprod", "i8mm", "bf16", "sve"],
    });
    expect(cpuinfo("snapdragon-x-elite")).toEqual({
      name: "Qualcomm Oryon",
      cores: 12,
      instructionSets: ["neon", "fp16", "dotprod", "i8mm", "bf16"],
    });
    expect(cpuinfo("raspberry-pi-4")).toEqual({ name: "Cortex-A72", cores: 4, instructionSets: ["neon"] });
  });

  it("with big and little cores has only what all of them have", () => {
    const cpu = cpuinfo("big-little");
    expect(cpu.instructionSets).toContain("dotprod");
    expect(cpu.instructionSets).not.toContain("i8mm");
  });

  it("of a Mac is read from sysctl, ARM and Intel", () => {
    expect(parseSysctl(captured("apple/sysctl-m3.txt"))).toEqual({
      name: "Apple M3",
      cores: 8,
      instructionSets: ["neon", "fp16", "dotprod", "i8mm", "bf16"],
    });
    expect(parseSysctl(captured("apple/sysctl-intel.txt"))).toEqual({
      name: "Intel(R) Core(TM) i9-9980HK CPU @ 2.40GHz",
      cores: 8,
      instructionSets: ["sse4_2", "avx", "f16c", "fma", "avx2"],
    });
  });

  it("is named by its board where /proc/cpuinfo doesn't know the part", async () => {
    const machine = capturedMachine({
      arch: "arm64",
      files: {
        "/proc/cpuinfo": "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x7f\nCPU part\t: 0x001\n",
        "/proc/device-tree/model": "Acme Board\0",
      },
    });
    expect((await readProcessor(machine)).name).toBe("Acme Board");
  });

  it("of Windows has the system's name and counts", async () => {
    const machine = capturedMachine({
      platform: "win32",
      arch: "arm64",
      os: { cpuModel: "Snapdragon(R) X Elite", logicalCores: 12, availableParallelism: 10 },
    });
    expect(await readProcessor(machine)).toEqual({
      name: "Snapdragon(R) X Elite",
      cores: 12,
      threads: 10,
      instructionSets: ["neon"],
    });
  });
});

describe("threads", () => {
  it("are those the quota pays for, to the nearest, and at least one", () => {
    expect(threadsUnderQuota(8, undefined)).toBe(8);
    expect(threadsUnderQuota(8, 2)).toBe(2);
    expect(threadsUnderQuota(8, 1.5)).toBe(2);
    expect(threadsUnderQuota(8, 2.2)).toBe(2);
    expect(threadsUnderQuota(8, 0.1)).toBe(1);
    expect(threadsUnderQuota(2, 16)).toBe(2);
  });

  it("respect the container's quota and the affinity", async () => {
    const machine = capturedMachine({
      files: {
        "/proc/cpuinfo": captured("cpuinfo/intel-sapphire-rapids.txt"),
        "/proc/self/cgroup": captured("cgroup/v2-docker.cgroup"),
        "/proc/self/mountinfo": captured("cgroup/v2-docker.mountinfo"),
        "/sys/fs/cgroup/cpu.max": "300000 100000\n",
      },
      os: { availableParallelism: 6 },
    });
    expect((await readProcessor(machine)).threads).toBe(3);
  });
});

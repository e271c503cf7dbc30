import { describe, expect, it } from "vitest";
import { cgroupFolders, parseCpuMax, readCgroupLimits } from "../../../src/core/hardware/cgroup.js";
import { parseVmStat, readMemory } from "../../../src/core/hardware/memory.js";
import { captured, capturedMachine, GiB, MiB } from "./captured-machine.js";

const meminfo = "MemTotal:       24684092 kB\nMemFree:        19382328 kB\nMemAvailable:   24006196 kB\n";
const system = (kind: string) => ({
  "/proc/meminfo": meminfo,
  "/proc/self/cgroup": captured(`cgroup/${kind}.cgroup`),
  "/proc/self/mountinfo": captured(`cgroup/${kind}.mountinfo`),
});

describe("memory", () => {
  it("is the machine's where no cgroup limits it", async () => {
    const machine = capturedMachine({
      files: { ...system("v2-docker"), "/sys/fs/cgroup/memory.max": "max\n" },
    });
    expect(await readMemory(machine)).toEqual({
      total: 24684092 * 1024,
      free: 24006196 * 1024,
      limitedBy: "machine",
    });
  });

  it("is the container's under cgroup v2, with unused page cache counted as free", async () => {
    const machine = capturedMachine({
      files: {
        ...system("v2-docker"),
        "/sys/fs/cgroup/memory.max": `${2 * GiB}\n`,
        "/sys/fs/cgroup/memory.current": `${1536 * MiB}\n`,
        "/sys/fs/cgroup/memory.stat": `anon ${512 * MiB}\nfile ${1024 * MiB}\ninactive_file ${1000 * MiB}\nactive_file ${24 * MiB}\n`,
      },
    });
    expect(await readMemory(machine)).toEqual({ total: 2 * GiB, free: 1512 * MiB, limitedBy: "cgroup" });
  });

  it("is the tightest of the nested groups' limits, each with its own usage", async () => {
    const group = "/sys/fs/cgroup/user.slice/user-1000.slice";
    const machine = capturedMachine({
      files: {
        ...system("v2-systemd"),
        [`${group}/memory.max`]: `${8 * GiB}`,
        [`${group}/memory.current`]: `${7 * GiB}`,
        [`${group}/memory.stat`]: "inactive_file 0\n",
        [`${group}/user@1000.service/app.slice/run-r12.scope/memory.max`]: `${4 * GiB}`,
        [`${group}/user@1000.service/app.slice/run-r12.scope/memory.current`]: `${1 * GiB}`,
      },
    });
    expect(await readMemory(machine)).toEqual({ total: 4 * GiB, free: 1 * GiB, limitedBy: "cgroup" });
  });

  it("is the container's under cgroup v1, where the mount shows only the container's part of the tree", async () => {
    const machine = capturedMachine({
      files: {
        ...system("v1-docker"),
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${1 * GiB}\n`,
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${600 * MiB}\n`,
        "/sys/fs/cgroup/memory/memory.stat": `cache 1\ninactive_file 5\ntotal_inactive_file ${100 * MiB}\n`,
      },
    });
    expect(await readMemory(machine)).toEqual({ total: 1 * GiB, free: 524 * MiB, limitedBy: "cgroup" });
  });

  it("takes v1's largest number and limits above the machine's memory as no limit", async () => {
    for (const limit of ["9223372036854771712", String(64 * GiB)]) {
      const machine = capturedMachine({
        files: { ...system("hybrid"), "/sys/fs/cgroup/memory/jobs/5bc170e5/memory.limit_in_bytes": limit },
      });
      expect((await readMemory(machine)).limitedBy).toBe("machine");
    }
  });

  it("never reports less than nothing when usage is above the limit", async () => {
    const machine = capturedMachine({
      files: {
        ...system("v2-docker"),
        "/sys/fs/cgroup/memory.max": `${1 * GiB}`,
        "/sys/fs/cgroup/memory.current": `${2 * GiB}`,
      },
    });
    expect((await readMemory(machine)).free).toBe(0);
  });

  it("counts what macOS can give without swapping", async () => {
    const pages = 12345 + 298311 + 1502 + 4021;
    expect(parseVmStat(captured("apple/vm_stat.txt"))).toBe(pages * 16384);
    const machine = capturedMachine({
      platform: "darwin",
      tools: { "/usr/bin/vm_stat": captured("apple/vm_stat.txt") },
      os: { memoryTotal: 16 * GiB, memoryFree: 200 * MiB },
    });
    expect(await readMemory(machine)).toEqual({
      total: 16 * GiB,
      free: pages * 16384,
      limitedBy: "machine",
    });
  });

  it("falls back to the operating system's numbers where there is no /proc", async () => {
    for (const platform of ["win32", "linux", "darwin"] as const) {
      const memory = await readMemory(capturedMachine({ platform }));
      expect(memory).toEqual({ total: 16 * GiB, free: 10 * GiB, limitedBy: "machine" });
    }
  });
});

describe("cgroup folders", () => {
  const folders = (kind: string, controller: "memory" | "cpu") =>
    cgroupFolders(captured(`cgroup/${kind}.cgroup`), captured(`cgroup/${kind}.mountinfo`), controller);

  it("go from the process's group up to the mount", () => {
    expect(folders("v2-systemd", "memory")).toEqual({
      version: 2,
      folders: [
        "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/run-r12.scope",
        "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice",
        "/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service",
        "/sys/fs/cgroup/user.slice/user-1000.slice",
        "/sys/fs/cgroup/user.slice",
        "/sys/fs/cgroup",
      ],
    });
  });

  it("prefer the v1 hierarchy that carries the controller on a host that mounts both", () => {
    expect(folders("hybrid", "memory")).toEqual({
      version: 1,
      folders: ["/sys/fs/cgroup/memory/jobs/5bc170e5", "/sys/fs/cgroup/memory/jobs", "/sys/fs/cgroup/memory"],
    });
    expect(folders("v1-docker", "cpu")).toEqual({ version: 1, folders: ["/sys/fs/cgroup/cpu,cpuacct"] });
  });

  it("are the mount itself when the path lies outside it", () => {
    const mountinfo = captured("cgroup/v2-docker.mountinfo");
    expect(cgroupFolders("0::/../../other\n", mountinfo, "memory")).toEqual({
      version: 2,
      folders: ["/sys/fs/cgroup"],
    });
  });
});

describe("processor quota", () => {
  it("reads both versions' notations and no limit", () => {
    expect(parseCpuMax("150000 100000\n")).toBe(1.5);
    expect(parseCpuMax("max 100000\n")).toBeUndefined();
    expect(parseCpuMax("-1 100000")).toBeUndefined();
    expect(parseCpuMax("100000 0")).toBeUndefined();
  });

  it("is the tightest of all levels", async () => {
    const machine = capturedMachine({
      files: {
        ...system("v2-systemd"),
        "/sys/fs/cgroup/user.slice/cpu.max": "200000 100000",
        "/sys/fs/cgroup/user.slice/user-1000.slice/cpu.max": "400000 100000",
      },
    });
    expect((await readCgroupLimits(machine)).cpuQuota).toBe(2);
  });

  it("is read from v1's two files", async () => {
    const machine = capturedMachine({
      files: {
        ...system("v1-docker"),
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000\n",
        "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      },
    });
    expect((await readCgroupLimits(machine)).cpuQuota).toBe(0.5);
  });
});

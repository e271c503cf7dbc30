import { readCgroupLimits } from "./cgroup.js";
import type { HardwareReport, Machine } from "./types.js";

/**
 * Bytes this process may use and how many of them are free now: the machine's, or the container's where that is less.
 * Free means free or reclaimable at once (unused page cache), as the kernel counts it in MemAvailable.
 */
export async function readMemory(machine: Machine): Promise<HardwareReport["memory"]> {
  const facts = machine.os();
  if (machine.platform === "darwin") {
    const free = parseVmStat((await machine.run("/usr/bin/vm_stat", [])) ?? "");
    return {
      total: facts.memoryTotal,
      free: Math.min(free ?? facts.memoryFree, facts.memoryTotal),
      limitedBy: "machine",
    };
  }
  if (machine.platform !== "linux")
    return { total: facts.memoryTotal, free: facts.memoryFree, limitedBy: "machine" };
  const [meminfo, limits] = await Promise.all([machine.readFile("/proc/meminfo"), readCgroupLimits(machine)]);
  const parsed = parseMeminfo(meminfo ?? "");
  const total = parsed.total ?? facts.memoryTotal;
  const free = Math.min(parsed.free ?? facts.memoryFree, total);
  // A limit above what the machine has limits nothing.
  if (limits.memoryLimit === undefined || limits.memoryLimit >= total)
    return { total, free, limitedBy: "machine" };
  return { total: limits.memoryLimit, free: Math.min(free, limits.memoryFree ?? free), limitedBy: "cgroup" };
}

/** /proc/meminfo (proc(5)), in kB. MemAvailable is missing before Linux 3.14. */
export function parseMeminfo(text: string): { total?: number; free?: number } {
  const field = (name: string) => {
    const value = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1];
    return value === undefined ? undefined : Number(value) * 1024;
  };
  return { total: field("MemTotal"), free: field("MemAvailable") ?? field("MemFree") };
}

/** macOS vm_stat: pages that can be had without swapping. os.freemem() counts only the wholly unused ones. */
export function parseVmStat(text: string): number | undefined {
  const pageSize = Number(/page size of (\d+) bytes/.exec(text)?.[1]);
  const pages = (name: string) => Number(new RegExp(`^Pages ${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0);
  if (!(pageSize > 0) || !/^Pages free:\s+\d/m.test(text)) return undefined;
  return (pages("free") + pages("inactive") + pages("speculative") + pages("purgeable")) * pageSize;
}

import type { Machine } from "./types.js";

/** What the container allows this process. Absent: no limit. */
export interface CgroupLimits {
  /** Bytes: the tightest limit on the way up, and what is left under the tightest remainder. */
  memoryLimit?: number;
  memoryFree?: number;
  /** Processors' worth of time per second, e.g. 1.5. */
  cpuQuota?: number;
}

/** Where this process sits: the folders from its own group up to the mount point, nearest first. */
export interface CgroupFolders {
  version: 1 | 2;
  folders: string[];
}

/**
 * Reads the limits of cgroup v2 (memory.max, memory.current, cpu.max) and v1 (memory.limit_in_bytes, cpu.cfs_quota_us),
 * also on hosts that mount both. A limit of any ancestor holds for the process, so all levels are read.
 */
export async function readCgroupLimits(machine: Machine): Promise<CgroupLimits> {
  const [membership, mounts] = await Promise.all([
    machine.readFile("/proc/self/cgroup"),
    machine.readFile("/proc/self/mountinfo"),
  ]);
  if (membership === undefined) return {};
  const [memory, cpuQuota] = await Promise.all([
    readMemory(machine, cgroupFolders(membership, mounts ?? "", "memory")),
    readQuota(machine, cgroupFolders(membership, mounts ?? "", "cpu")),
  ]);
  return { ...memory, cpuQuota };
}

/**
 * The folders of one controller, from /proc/self/cgroup ("0::/path" is v2, "4:memory:/path" is v1) and
 * /proc/self/mountinfo (proc(5)). A v1 hierarchy that carries the controller wins: on such hosts v2 doesn't have it.
 */
export function cgroupFolders(
  membership: string,
  mountinfo: string,
  controller: "memory" | "cpu",
): CgroupFolders | undefined {
  const mounts = parseMounts(mountinfo);
  let unified: CgroupFolders | undefined;
  for (const line of membership.split("\n")) {
    const [id, controllers, ...rest] = line.split(":");
    const path = rest.join(":");
    if (!path.startsWith("/")) continue;
    if (id === "0" && controllers === "") {
      const mount = mounts.find(({ type }) => type === "cgroup2");
      unified = { version: 2, folders: upwards(path, mount ?? { root: "/", point: "/sys/fs/cgroup" }) };
    } else if (controllers.split(",").includes(controller)) {
      const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes(controller));
      const usual = { root: "/", point: `/sys/fs/cgroup/${controller}` };
      return { version: 1, folders: upwards(path, mount ?? usual) };
    }
  }
  return unified;
}

interface Mount {
  root: string;
  point: string;
  type: string;
  options: string[];
}

function parseMounts(mountinfo: string): Mount[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [before, after] = line.split(" - ");
    const [type, , options = ""] = (after ?? "").split(" ");
    const [, , , root = "/", point] = before.split(" ");
    return type.startsWith("cgroup") && point ? [{ root, point, type, options: options.split(",") }] : [];
  });
}

function upwards(path: string, { root, point }: { root: string; point: string }): string[] {
  // Without a cgroup namespace the path is the host's and the mount shows only the part below `root`; a path outside
  // the mount ("/../..", or another container's) leaves the mount point itself as the best answer.
  const below =
    root === "/" ? path : path === root || path.startsWith(`${root}/`) ? path.slice(root.length) : "";
  const parts = below.split("/").filter(Boolean);
  if (parts.includes("..")) return [point];
  return Array.from({ length: parts.length + 1 }, (_, up) =>
    [point, ...parts.slice(0, parts.length - up)].join("/"),
  );
}

async function readMemory(
  machine: Machine,
  place: CgroupFolders | undefined,
): Promise<Pick<CgroupLimits, "memoryLimit" | "memoryFree">> {
  const files =
    place?.version === 1
      ? {
          limit: "memory.limit_in_bytes",
          usage: "memory.usage_in_bytes",
          reclaimable: /^total_inactive_file (\d+)/m,
        }
      : { limit: "memory.max", usage: "memory.current", reclaimable: /^inactive_file (\d+)/m };
  const levels = await Promise.all(
    (place?.folders ?? []).map(async (folder) => {
      const limit = bytes(await machine.readFile(`${folder}/${files.limit}`));
      if (limit === undefined) return undefined;
      const [usage, stat] = await Promise.all([
        machine.readFile(`${folder}/${files.usage}`),
        machine.readFile(`${folder}/memory.stat`),
      ]);
      // Page cache that nobody uses counts as used but is given back on demand: models on disk fill it.
      const used = (bytes(usage) ?? 0) - (bytes(files.reclaimable.exec(stat ?? "")?.[1]) ?? 0);
      return { limit, free: Math.max(0, limit - Math.max(0, used)) };
    }),
  );
  const limited = levels.filter((level) => level !== undefined);
  if (limited.length === 0) return {};
  return {
    memoryLimit: Math.min(...limited.map(({ limit }) => limit)),
    memoryFree: Math.min(...limited.map(({ free }) => free)),
  };
}

/** v1 writes "no limit" as 2^63 rounded down to a page, v2 as "max". */
function bytes(text: string | undefined): number | undefined {
  const value = /^\s*\d+\s*$/.test(text ?? "") ? Number(text) : Number.NaN;
  return value < 2 ** 60 ? value : undefined;
}

async function readQuota(machine: Machine, place: CgroupFolders | undefined): Promise<number | undefined> {
  const quotas = await Promise.all(
    (place?.folders ?? []).map(async (folder) => {
      if (place?.version === 2) return parseCpuMax((await machine.readFile(`${folder}/cpu.max`)) ?? "");
      const [quota, period] = await Promise.all([
        machine.readFile(`${folder}/cpu.cfs_quota_us`),
        machine.readFile(`${folder}/cpu.cfs_period_us`),
      ]);
      return parseCpuMax(`${quota?.trim()} ${period?.trim()}`);
    }),
  );
  const limits = quotas.filter((quota) => quota !== undefined);
  return limits.length > 0 ? Math.min(...limits) : undefined;
}

/** "150000 100000" is 1.5 processors; "max 100000" (v2) and "-1 100000" (v1) are no limit. */
export function parseCpuMax(text: string): number | undefined {
  const [, quota, period] = /^\s*(\d+)\s+(\d+)\s*$/.exec(text) ?? [];
  const processors = Number(quota) / Number(period);
  return processors > 0 && Number.isFinite(processors) ? processors : undefined;
}

import type { AmdGpu } from "./amd-smi.js";
import { pciVendors, readPciDevices } from "./pci.js";
import type { Machine } from "./types.js";

const DRM = "/sys/class/drm";
const NODES = "/sys/class/kfd/kfd/topology/nodes";

/**
 * AMD GPUs as the kernel shows them: amdgpu's files (memory, load) and the compute driver's topology (architecture,
 * compute units), joined by PCI slot. Needs no tool, and works in containers that only have /dev/kfd and /dev/dri.
 */
export async function readAmdSysfs(machine: Machine): Promise<AmdGpu[]> {
  if (machine.platform !== "linux") return [];
  const [bus, cards, nodes] = await Promise.all([
    readPciDevices(machine),
    readCards(machine),
    readNodes(machine),
  ]);
  const slots = new Set([
    ...bus.filter(({ vendor, kind }) => vendor === pciVendors.amd && kind === "gpu").map(({ slot }) => slot),
    ...cards.keys(),
    ...nodes.keys(),
  ]);
  return [...slots].sort().map((slot) => ({
    name: "AMD GPU",
    vendor: "AMD",
    kind: "gpu",
    slot,
    ...nodes.get(slot),
    ...cards.get(slot),
    seenBy: cards.get(slot)?.seenBy ?? nodes.get(slot)?.seenBy ?? `/sys/bus/pci/devices/${slot}`,
  }));
}

async function readCards(machine: Machine): Promise<Map<string, Partial<AmdGpu>>> {
  const names = (await machine.readDir(DRM)).filter((name) => /^card\d+$/.test(name));
  const cards = await Promise.all(
    names.map(async (name): Promise<[string, Partial<AmdGpu>] | undefined> => {
      const read = async (file: string) => (await machine.readFile(`${DRM}/${name}/device/${file}`))?.trim();
      if ((await read("vendor")) !== `0x${pciVendors.amd}`) return undefined;
      const [uevent, product, total, used, busy] = await Promise.all(
        ["uevent", "product_name", "mem_info_vram_total", "mem_info_vram_used", "gpu_busy_percent"].map(read),
      );
      const slot = /^PCI_SLOT_NAME=(.+)$/m.exec(uevent ?? "")?.[1];
      if (slot === undefined) return undefined;
      const memoryTotal = count(total);
      const memoryUsed = count(used);
      const percent = count(busy);
      return [
        slot,
        {
          ...(product ? { name: product } : {}),
          memoryTotal,
          memoryFree:
            memoryTotal === undefined || memoryUsed === undefined
              ? undefined
              : Math.max(0, memoryTotal - memoryUsed),
          load: percent === undefined ? undefined : Math.min(1, percent / 100),
          seenBy: `${DRM}/${name}`,
        },
      ];
    }),
  );
  return new Map(cards.filter((card) => card !== undefined));
}

async function readNodes(machine: Machine): Promise<Map<string, Partial<AmdGpu>>> {
  const numbers = await machine.readDir(NODES);
  const nodes = await Promise.all(
    numbers.map(async (number): Promise<[string, Partial<AmdGpu>] | undefined> => {
      const node = parseKfdNode((await machine.readFile(`${NODES}/${number}/properties`)) ?? "");
      return node && [node.slot, { ...node, seenBy: `${NODES}/${number}` }];
    }),
  );
  return new Map(nodes.filter((node) => node !== undefined));
}

/**
 * A node's `properties`: "key number" lines. Processors are nodes too, without SIMDs. `location_id` is bus, device and
 * function of the PCI slot, `gfx_target_version` is major·10000 + minor·100 + stepping, whose name is gfx + major,
 * minor and stepping in hexadecimal: 90010 is gfx90a (drivers/gpu/drm/amd/amdkfd/kfd_topology.c).
 */
export function parseKfdNode(
  text: string,
): { slot: string; computeCapability?: string; cores?: number } | undefined {
  const value = (key: string) => count(new RegExp(`^${key} (\\d+)$`, "m").exec(text)?.[1]);
  const simds = value("simd_count") ?? 0;
  const location = value("location_id");
  if (simds === 0 || location === undefined) return undefined;
  const hex = (number: number, digits: number) => number.toString(16).padStart(digits, "0");
  const slot = `${hex(value("domain") ?? 0, 4)}:${hex((location >> 8) & 0xff, 2)}:${hex((location >> 3) & 0x1f, 2)}.${location & 7}`;
  const target = value("gfx_target_version") ?? 0;
  const simdsPerUnit = value("simd_per_cu") ?? 0;
  return {
    slot,
    computeCapability:
      target >= 10_000
        ? `gfx${Math.floor(target / 10_000)}${hex(Math.floor(target / 100) % 100, 1)}${hex(target % 100, 1)}`
        : undefined,
    cores: simdsPerUnit > 0 ? Math.round(simds / simdsPerUnit) : undefined,
  };
}

function count(text: string | undefined): number | undefined {
  const number = /^\d+$/.test(text ?? "") ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}

import type { Machine } from "./types.js";

export const pciVendors = { amd: "1002", intel: "8086", nvidia: "10de" } as const;
const pciVendorNames: Record<string, string> = {
  [pciVendors.amd]: "AMD",
  [pciVendors.intel]: "Intel",
  [pciVendors.nvidia]: "NVIDIA",
};

/** A display controller, 3D controller or processing accelerator on the PCI bus, driver or not. */
export interface PciDevice {
  /** "0000:01:00.0" */
  slot: string;
  /** Four hexadecimal digits, lower case. */
  vendor: string;
  device: string;
  kind: "gpu" | "npu";
  driver?: string;
  seenBy: string;
}

const BUS = "/sys/bus/pci/devices";

/** Linux only. Containers see the host's bus, so a device here says nothing about access to it. */
export async function readPciDevices(machine: Machine): Promise<PciDevice[]> {
  if (machine.platform !== "linux") return [];
  const slots = await machine.readDir(BUS);
  const devices = await Promise.all(
    slots.map(async (slot) => parsePciUevent((await machine.readFile(`${BUS}/${slot}/uevent`)) ?? "")),
  );
  return devices.filter((device) => device !== undefined);
}

/** A PCI device's uevent: DRIVER=nvidia, PCI_CLASS=30000, PCI_ID=10DE:2204, PCI_SLOT_NAME=0000:01:00.0. */
export function parsePciUevent(text: string): PciDevice | undefined {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1].trim();
  const [, base] = /^([0-9A-F]{1,2})[0-9A-F]{4}$/i.exec(value("PCI_CLASS") ?? "") ?? [];
  const [, vendor, device] = /^([0-9A-F]{4}):([0-9A-F]{4})$/i.exec(value("PCI_ID") ?? "") ?? [];
  const slot = value("PCI_SLOT_NAME");
  // Base classes of the PCI code assignment: 03 display controller, 12 processing accelerator.
  const kind = { "3": "gpu", "03": "gpu", "12": "npu" } as const;
  const found = kind[base as keyof typeof kind];
  if (!found || !vendor || !slot) return undefined;
  return {
    slot,
    vendor: vendor.toLowerCase(),
    device: device.toLowerCase(),
    kind: found,
    driver: value("DRIVER") || undefined,
    seenBy: `${BUS}/${slot}`,
  };
}

/** The name that lspci's list of ids has for a device whose driver and vendor tools tell none, or its numbers. */
export async function namePciDevice(machine: Machine, device: PciDevice): Promise<string> {
  const names = parseLspci((await machine.run("lspci", ["-Dmm"])) ?? "");
  return (
    names.get(device.slot) ??
    `${pciVendorNames[device.vendor] ?? "PCI"} ${device.kind.toUpperCase()} (${device.vendor}:${device.device})`
  );
}

/**
 * `lspci -Dmm`, a device a line: slot, then "class" "vendor" "device" and more in quotes. Of a name like "GA102 [GeForce
 * RTX 3090]" the part in brackets is the one on the box; a device that the list lacks is "Device 2204".
 */
export function parseLspci(text: string): Map<string, string> {
  return new Map(
    text.split("\n").flatMap((line): [string, string][] => {
      const [, slot, vendor, device] = /^(\S+) "[^"]*" "([^"]*)" "([^"]*)"/.exec(line) ?? [];
      if (!slot || !device || /^Device [0-9a-f]{4}$/i.test(device)) return [];
      const maker = /\[(AMD)\/ATI\]|(NVIDIA|Intel)/.exec(vendor)?.slice(1).find(Boolean) ?? vendor;
      const name = /\[([^\]]+)\]\s*$/.exec(device)?.[1] ?? device;
      return [[slot, name.startsWith(maker) ? name : `${maker} ${name}`]];
    }),
  );
}

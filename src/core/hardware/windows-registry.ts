import { pciVendors } from "./pci.js";
import type { DetectedDevice, Machine } from "./types.js";

/** Setup classes of the devices that can compute: display adapters and neural processors. */
const CLASSES = {
  gpu: "{4d36e968-e325-11ce-bfc1-08002be10318}",
  npu: "{f01a9d53-3ff6-48d2-9f97-c8a7004be10c}",
} as const;
const ROOT = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Class";
/** Named with its folder: a bare name would be looked for in the current folder first. */
const REG = "C:\\Windows\\System32\\reg.exe";
const INSTANCES = ["0000", "0001", "0002", "0003"];

export interface WindowsAdapter extends DetectedDevice {
  /** PCI vendor, four hexadecimal digits; a Qualcomm NPU has none. */
  vendorId?: string;
}

/**
 * What Windows' device classes list, by reg.exe: 20 ms, where CIM through PowerShell takes a second, and its
 * Win32_VideoController caps memory at 4 GB.
 */
export async function readWindowsAdapters(machine: Machine, kind: "gpu" | "npu"): Promise<WindowsAdapter[]> {
  if (machine.platform !== "win32") return [];
  const outputs = await Promise.all(
    INSTANCES.map((instance) => machine.run(REG, ["query", `${ROOT}\\${CLASSES[kind]}\\${instance}`])),
  );
  const adapters = outputs.flatMap((output) => {
    const adapter = parseRegistryAdapter(output ?? "");
    return adapter ? [{ ...adapter, kind }] : [];
  });
  return adapters.length > 0 || kind === "npu" ? adapters : byName(await machine.graphics());
}

/** Where policy forbids reg.exe: no numbers, but names and vendors. */
function byName(controllers: Awaited<ReturnType<Machine["graphics"]>>): WindowsAdapter[] {
  return controllers
    .filter(({ model }) => model !== "")
    .map(({ vendor, model }) => {
      const text = `${vendor} ${model}`;
      const vendorId = /nvidia/i.test(text)
        ? pciVendors.nvidia
        : /amd|advanced micro|radeon/i.test(text)
          ? pciVendors.amd
          : /intel/i.test(text)
            ? pciVendors.intel
            : undefined;
      return { name: model, vendor, vendorId, kind: "gpu", seenBy: "systeminformation" };
    });
}

/** One instance key as `reg query` prints it: four spaces, name, four spaces, type, four spaces, value. */
export function parseRegistryAdapter(text: string): WindowsAdapter | undefined {
  const value = (name: string) =>
    new RegExp(`^[ \\t]+${name.replaceAll(".", "\\.")}\\s{2,}REG_\\w+\\s{2,}(.*?)\\s*$`, "m").exec(text)?.[1];
  const name = value("DriverDesc");
  if (!name) return undefined;
  const id = value("MatchingDeviceId") ?? "";
  const memory = Number(value("HardwareInformation.qwMemorySize") ?? Number.NaN);
  return {
    name,
    vendor: value("ProviderName"),
    vendorId: /ven_([0-9a-f]{4})/i.exec(id)?.[1].toLowerCase(),
    driver: value("DriverVersion"),
    memoryTotal: Number.isSafeInteger(memory) && memory > 0 ? memory : undefined,
    seenBy: "registry",
  };
}

import type { DetectedDevice, Machine } from "./types.js";

/** Where distributions and vendors register drivers with the Vulkan loader. */
const DRIVER_FOLDERS = [
  "/usr/share/vulkan/icd.d",
  "/usr/local/share/vulkan/icd.d",
  "/etc/vulkan/icd.d",
  "/run/opengl-driver/share/vulkan/icd.d",
];

/**
 * The devices that Vulkan drivers offer, software ones included. vulkaninfo is asked even where no driver is
 * registered: one may be named by the loader's own environment variables.
 */
export async function readVulkanDevices(machine: Machine): Promise<DetectedDevice[]> {
  return parseVulkanSummary((await machine.run("vulkaninfo", ["--summary"])) ?? "");
}

/** Whether a driver is registered, for machines without vulkaninfo. */
export async function hasVulkanDriver(machine: Machine): Promise<boolean> {
  const folders = await Promise.all(DRIVER_FOLDERS.map((folder) => machine.readDir(folder)));
  return folders.flat().some((name) => name.endsWith(".json"));
}

const KINDS: Record<string, DetectedDevice["kind"]> = {
  DISCRETE_GPU: "gpu",
  INTEGRATED_GPU: "gpu",
  VIRTUAL_GPU: "gpu",
  CPU: "cpu",
};
const VENDORS: Record<string, string> = {
  "0x1002": "AMD",
  "0x10de": "NVIDIA",
  "0x8086": "Intel",
  "0x106b": "Apple",
  "0x13b5": "ARM",
  "0x5143": "Qualcomm",
};

/** `vulkaninfo --summary`: under "Devices:", "GPU0:" and then "\tname = value" lines. */
export function parseVulkanSummary(text: string): DetectedDevice[] {
  return text
    .split(/^GPU\d+:\s*$/m)
    .slice(1)
    .flatMap((block) => {
      const value = (key: string) => new RegExp(`^[ \\t]+${key}[ \\t]+= (.*?)\\s*$`, "m").exec(block)?.[1];
      const name = value("deviceName");
      if (!name) return [];
      const version = value("apiVersion")?.match(/\d+\.\d+\.\d+/)?.[0];
      return [
        {
          name,
          vendor: VENDORS[value("vendorID") ?? ""],
          kind: KINDS[value("deviceType")?.replace("PHYSICAL_DEVICE_TYPE_", "") ?? ""] ?? "gpu",
          driver: value("driverInfo") || value("driverName"),
          computeCapability: version ? `Vulkan ${version}` : undefined,
          seenBy: "vulkaninfo",
        },
      ];
    });
}

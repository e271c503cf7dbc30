import { namePciDevice, pciVendors, readPciDevices } from "./pci.js";
import { judgeInstalled, readProviderState } from "./provider.js";
import { readMacGpus } from "./system-profiler.js";
import type { Backend, DetectedDevice, Machine } from "./types.js";
import { hasVulkanDriver, readVulkanDevices } from "./vulkan-info.js";
import { readWindowsAdapters } from "./windows-registry.js";

/** Any GPU with a Vulkan, Metal or Direct3D 12 driver. Built into the runtime's library on most platforms. */
export const webgpu: Backend = {
  name: "webgpu",
  title: "WebGPU",
  executionProvider: "WebGpuExecutionProvider",

  async detect(machine) {
    if (machine.platform === "darwin") return readMacGpus(machine);
    if (machine.platform === "win32") {
      const adapters = await readWindowsAdapters(machine, "gpu");
      return adapters.map(({ vendorId: _vendorId, ...adapter }) => adapter);
    }
    const devices = await readVulkanDevices(machine);
    return devices.length > 0 ? devices : detectOnBus(machine);
  },

  async usable(devices, machine) {
    const state = await readProviderState(machine, webgpu.executionProvider);
    if (!state.installed) {
      return {
        usable: false,
        reason: `the runtime that is installed has no WebGPU provider for ${machine.platform} ${machine.arch}`,
      };
    }
    if (devices.length === 0) {
      return {
        usable: false,
        reason:
          machine.platform === "linux"
            ? "the runtime has WebGPU, but no GPU with a Vulkan driver was found"
            : "the runtime has WebGPU, but no GPU was found",
      };
    }
    const unanswered =
      machine.platform === "linux" && devices.every(({ seenBy }) => seenBy.startsWith("/sys/"));
    if (unanswered && !(await hasVulkanDriver(machine))) {
      return {
        usable: false,
        reason:
          "a GPU is there, but no Vulkan driver for it; install one (package mesa-vulkan-drivers, or the vendor's driver)",
      };
    }
    return judgeInstalled(state, "WebGPU");
  },
};

const knownVendors = new Set<string>(Object.values(pciVendors));

/** A GPU whose driver doesn't answer, so that the reason can say so. */
async function detectOnBus(machine: Machine): Promise<DetectedDevice[]> {
  const gpus = (await readPciDevices(machine)).filter(
    // Virtual display adapters (QEMU, Hyper-V, servers' management chips) have no Vulkan at all.
    ({ kind, vendor }) => kind === "gpu" && knownVendors.has(vendor),
  );
  return Promise.all(
    gpus.map(async (gpu) => ({
      name: await namePciDevice(machine, gpu),
      kind: "gpu" as const,
      seenBy: gpu.seenBy,
    })),
  );
}

import { namePciDevice, type PciDevice, pciVendors, readPciDevices } from "./pci.js";
import { readProcessor } from "./processor.js";
import { judgeInstalled, readProviderState } from "./provider.js";
import type { Backend, DetectedDevice, Machine } from "./types.js";
import { readWindowsAdapters } from "./windows-registry.js";

/** Intel GPUs, neural processors and processors. */
export const openvino: Backend = {
  name: "openvino",
  title: "Intel OpenVINO",
  executionProvider: "OpenVINOExecutionProvider",

  async detect(machine) {
    const [accelerators, processor] = await Promise.all([
      machine.platform === "win32" ? detectOnWindows(machine) : detectOnLinux(machine),
      readProcessor(machine),
    ]);
    if (!/intel/i.test(processor.name) || machine.platform === "darwin") return accelerators;
    return [
      ...accelerators,
      {
        name: processor.name,
        vendor: "Intel",
        kind: "cpu",
        cores: processor.cores,
        threads: processor.threads,
        seenBy: machine.platform === "linux" ? "/proc/cpuinfo" : "os",
      },
    ];
  },

  async usable(devices, machine) {
    if (devices.length === 0) {
      return { usable: false, reason: "no Intel GPU, neural processor or processor was found" };
    }
    const state = await readProviderState(machine, openvino.executionProvider);
    if (state.installed) return judgeInstalled(state, "OpenVINO");
    return {
      usable: false,
      reason:
        "the runtime that is installed has no OpenVINO provider; it is published as a plugin in the Python package onnxruntime-ep-openvino, and this release of hfms loads no plugins",
    };
  },
};

async function detectOnLinux(machine: Machine): Promise<DetectedDevice[]> {
  const [bus, npus] = await Promise.all([readPciDevices(machine), readAccelClass(machine)]);
  const devices = [
    ...bus.filter(({ vendor }) => vendor === pciVendors.intel),
    ...npus.filter(({ slot }) => !bus.some((device) => device.slot === slot)),
  ];
  return Promise.all(
    devices.map(async (device) => ({
      name:
        device.kind === "npu" && device.driver === "intel_vpu"
          ? "Intel AI Boost (NPU)"
          : await namePciDevice(machine, device),
      vendor: "Intel",
      kind: device.kind,
      driver: device.driver,
      seenBy: device.seenBy,
    })),
  );
}

/** Neural processors register as /sys/class/accel/accelN (Linux 6.3 and later), whatever their PCI class is. */
async function readAccelClass(machine: Machine): Promise<PciDevice[]> {
  const names = (await machine.readDir("/sys/class/accel")).filter((name) => /^accel\d+$/.test(name));
  const devices = await Promise.all(
    names.map(async (name): Promise<PciDevice | undefined> => {
      const folder = `/sys/class/accel/${name}/device`;
      const uevent = (await machine.readFile(`${folder}/uevent`)) ?? "";
      const [, vendor, device] = /^PCI_ID=([0-9A-F]{4}):([0-9A-F]{4})$/im.exec(uevent) ?? [];
      if (vendor?.toLowerCase() !== pciVendors.intel) return undefined;
      return {
        slot: /^PCI_SLOT_NAME=(.+)$/m.exec(uevent)?.[1] ?? name,
        vendor: pciVendors.intel,
        device: device.toLowerCase(),
        kind: "npu",
        driver: /^DRIVER=(.+)$/m.exec(uevent)?.[1],
        seenBy: `/sys/class/accel/${name}`,
      };
    }),
  );
  return devices.filter((device) => device !== undefined);
}

async function detectOnWindows(machine: Machine): Promise<DetectedDevice[]> {
  const [gpus, npus] = await Promise.all([
    readWindowsAdapters(machine, "gpu"),
    readWindowsAdapters(machine, "npu"),
  ]);
  return [...gpus, ...npus]
    .filter(({ vendorId }) => vendorId === pciVendors.intel)
    .map(({ vendorId: _vendorId, ...adapter }) => ({ ...adapter, vendor: "Intel" }));
}

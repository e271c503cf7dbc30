import {
  type AmdGpu,
  amdSmiMetricArguments,
  amdSmiStaticArguments,
  parseAmdSmi,
  parseRocmSmi,
  rocmSmiArguments,
} from "./amd-smi.js";
import { readAmdSysfs } from "./kfd.js";
import { namePciDevice, pciVendors, readPciDevices } from "./pci.js";
import { judgeInstalled, readProviderState } from "./provider.js";
import type { Backend, DetectedDevice, Machine } from "./types.js";
import { readWindowsAdapters } from "./windows-registry.js";

/** AMD GPUs. ONNX Runtime dropped its ROCm provider; MIGraphX is the one that drives them. */
export const rocm: Backend = {
  name: "rocm",
  title: "AMD ROCm",
  executionProvider: "MIGraphXExecutionProvider",

  async detect(machine) {
    if (machine.platform === "win32") {
      const adapters = await readWindowsAdapters(machine, "gpu");
      return adapters
        .filter(({ vendorId }) => vendorId === pciVendors.amd)
        .map(({ vendorId: _vendorId, ...adapter }) => ({ ...adapter, vendor: "AMD" }));
    }
    const seen = await readAmdSysfs(machine);
    if (seen.length === 0) return [];
    const told = await readTools(machine);
    // Old releases of the tools don't tell the slot; cards are in the same order then.
    const byOrder = told.length === seen.length && told.every(({ slot }) => slot === undefined);
    const devices = seen.map((gpu, index) =>
      combine(gpu, byOrder ? told[index] : told.find(({ slot }) => slot === gpu.slot)),
    );
    return Promise.all(devices.map((gpu) => nameless(machine, gpu)));
  },

  async usable(devices, machine) {
    if (devices.length === 0) return { usable: false, reason: "no AMD GPU was found" };
    const state = await readProviderState(machine, rocm.executionProvider);
    if (state.installed) return judgeInstalled(state, "MIGraphX");
    const kfd =
      machine.platform === "linux" && !(await machine.readDir("/dev")).includes("kfd")
        ? " (and /dev/kfd is missing: load the amdgpu driver, or hand it to the container with --device /dev/kfd --device /dev/dri)"
        : "";
    return {
      usable: false,
      reason: `the runtime that is installed has no ROCm or MIGraphX provider, and no published package of it brings one to Node${kfd}`,
    };
  },
};

/** amd-smi replaces rocm-smi from ROCm 6 on and knows more; both are slow Python programs, so they run at once. */
async function readTools(machine: Machine): Promise<AmdGpu[]> {
  const run = async (tool: string, args: string[]) =>
    (await machine.run(tool, args)) ?? (await machine.run(`/opt/rocm/bin/${tool}`, args)) ?? "";
  const [facts, metrics, older] = await Promise.all([
    run("amd-smi", amdSmiStaticArguments),
    run("amd-smi", amdSmiMetricArguments),
    run("rocm-smi", rocmSmiArguments),
  ]);
  const newer = parseAmdSmi(facts, metrics);
  return newer.length > 0 ? newer : parseRocmSmi(older);
}

/** The tool knows name and driver; the kernel's numbers are as good and don't round to megabytes. */
function combine(seen: AmdGpu, told: AmdGpu | undefined): AmdGpu {
  if (told === undefined) return seen;
  const known = Object.fromEntries(
    Object.entries(seen).filter(([key, value]) => value !== undefined && key !== "name"),
  );
  return { ...told, ...known, seenBy: told.seenBy };
}

async function nameless(machine: Machine, { slot, ...gpu }: AmdGpu): Promise<DetectedDevice> {
  if (gpu.name !== "AMD GPU") return gpu;
  const device = (await readPciDevices(machine)).find((candidate) => candidate.slot === slot);
  return device ? { ...gpu, name: await namePciDevice(machine, device) } : gpu;
}

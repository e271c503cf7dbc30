import { judgeInstalled, readProviderState } from "./provider.js";
import type { Backend, DetectedDevice, Machine } from "./types.js";
import { readWindowsAdapters } from "./windows-registry.js";

/** Qualcomm's Hexagon neural processors. */
export const qnn: Backend = {
  name: "qnn",
  title: "Qualcomm QNN",
  executionProvider: "QNNExecutionProvider",

  async detect(machine) {
    if (machine.platform === "win32") return detectOnWindows(machine);
    return machine.platform === "linux" && machine.arch === "arm64" ? detectOnLinux(machine) : [];
  },

  async usable(devices, machine) {
    if (devices.length === 0) return { usable: false, reason: "no Qualcomm neural processor was found" };
    const state = await readProviderState(machine, qnn.executionProvider);
    if (state.installed) return judgeInstalled(state, "QNN");
    const closed =
      machine.platform === "linux" && !(await fastrpcNodes(machine)).some((node) => /cdsp/.test(node))
        ? " (and /dev/fastrpc-cdsp is missing: the neural processor's driver is not loaded)"
        : "";
    return {
      usable: false,
      reason: `the runtime that is installed has no QNN provider; it is published as a plugin in the Python package onnxruntime-qnn, and this release of hfms loads no plugins${closed}`,
    };
  },
};

async function detectOnWindows(machine: Machine): Promise<DetectedDevice[]> {
  const npus = await readWindowsAdapters(machine, "npu");
  return npus
    .filter(({ name, vendor }) => /qualcomm|hexagon|snapdragon/i.test(`${vendor} ${name}`))
    .map(({ vendorId: _vendorId, ...adapter }) => ({ ...adapter, vendor: "Qualcomm" }));
}

/** A Snapdragon by its device tree; programs talk to the neural processor (a DSP) through FastRPC. */
async function detectOnLinux(machine: Machine): Promise<DetectedDevice[]> {
  const [compatible, model, nodes] = await Promise.all([
    machine.readFile("/proc/device-tree/compatible"),
    machine.readFile("/proc/device-tree/model"),
    fastrpcNodes(machine),
  ]);
  const chip = parseQualcommChip(compatible ?? "");
  if (chip === undefined) return [];
  const board = model?.replaceAll("\0", "").trim();
  return [
    {
      name: `Qualcomm Hexagon of ${chip}${board ? ` (${board})` : ""}`,
      vendor: "Qualcomm",
      kind: "npu",
      seenBy: nodes.length > 0 ? `/dev/${nodes[0]}` : "/proc/device-tree/compatible",
    },
  ];
}

async function fastrpcNodes(machine: Machine): Promise<string[]> {
  const [devices, rpc] = await Promise.all([machine.readDir("/dev"), machine.readDir("/sys/class/fastrpc")]);
  const nodes = devices.filter((name) => name.startsWith("fastrpc-") || name.startsWith("adsprpc-smd"));
  return [...nodes, ...rpc].sort();
}

/** The device tree's compatible list, NUL-separated, goes from the board to the chip: "lenovo,yoga…\0qcom,x1e80100". */
export function parseQualcommChip(compatible: string): string | undefined {
  const chip = compatible
    .split("\0")
    .filter((entry) => entry.startsWith("qcom,"))
    .at(-1);
  return chip?.slice("qcom,".length).trim().toUpperCase() || undefined;
}

import { judgeInstalled, readProviderState } from "./provider.js";
import type { Backend } from "./types.js";
import { readWindowsAdapters } from "./windows-registry.js";

/** Any GPU with a Direct3D 12 driver, on Windows. */
export const directml: Backend = {
  name: "directml",
  title: "DirectML",
  executionProvider: "DmlExecutionProvider",

  async detect(machine) {
    const adapters = await readWindowsAdapters(machine, "gpu");
    return adapters.map(({ vendorId: _vendorId, ...adapter }) => adapter);
  },

  async usable(devices, machine) {
    if (machine.platform !== "win32") {
      return { usable: false, reason: `DirectML is part of Windows, and this is ${machine.platform}` };
    }
    if (devices.length === 0) return { usable: false, reason: "no display adapter was found" };
    const state = await readProviderState(machine, directml.executionProvider);
    if (state.installed) return judgeInstalled(state, "DirectML");
    return {
      usable: false,
      reason: "the runtime that is installed has no DirectML provider; reinstall hfms, its package has one",
    };
  },
};
